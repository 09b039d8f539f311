/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A disk whose source is a block device of the host: the filesystem on it is mounted by itself, for
 * the container alone. What is on the device is read by the kernel's own code, so it is an
 * administrator's to trust it (model/device-privilege.c), and only filesystems are mounted that
 * are made to be read from foreign disks.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* Returns the mount, of no namespace, with neither set-user-id bits nor devices.
 * ERROR_INVALID_DEVICE where it is no block device, or there is no such filesystem on it. */
int device_filesystem_mount(const char *path, bool readonly, Error *ret_error);
