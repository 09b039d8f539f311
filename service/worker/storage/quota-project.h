/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits of directories, by project quotas: every file below the directory bears a number, and the
 * filesystem counts what files of that number hold. ext4 and xfs can do it where they are mounted
 * with "prjquota" (ext4 also wants the features "quota" and "project"). A container cannot change
 * the number of a file: that takes the host's user namespace.
 *
 * `fd` is the directory.
 */

#include <stdint.h>

#include "service/util/error.h"

/* 0: no limit. The first limit of a directory marks every file in it. ERROR_NOT_SUPPORTED, with
 * what to do, where the filesystem does not count. */
int quota_project_set(int pool_fd, int fd, uint64_t size, Error *ret_error);
/* What it holds, and what it may (0: no limit). -ENODATA while nothing is counted. */
int quota_project_get(int fd, uint64_t *ret_used, uint64_t *ret_size);
