/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a disk device shows of the host, opened. Unless an administrator has said otherwise
 * ("shift"), it is opened with the credentials of the container's owner: user, groups, no
 * capability. Whatever he could not reach himself, his container cannot either, and no link or
 * rename that he makes meanwhile changes that: what was opened is what is mounted.
 */

#include <sys/types.h>

#include "service/util/error.h"

/* An O_PATH fd of a directory, regular file, socket or FIFO that `owner` (0: root) may read.
 * Errors are -errno, without words: the caller knows what it is for. */
int device_source_open(const char *path, uid_t owner);

/* Opens something in a child that may change what it is: the fd, or -errno of what went wrong. */
typedef int (*DeviceSourceFunc)(void *userdata);
int device_source_from_child(DeviceSourceFunc func, void *userdata);
