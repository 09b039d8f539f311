/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits of btrfs subvolumes, by quota groups. They cost time at each change of the filesystem, so
 * they are turned on by the first limit of a pool and not before; what was turned on by somebody
 * else (simple quotas, too) is used as it is. What a subvolume refers to is counted, whether it
 * shares that with others or not. Subvolumes that a container makes inside are not counted to it.
 *
 * `fd` is the root directory of the subvolume.
 */

#include <stdint.h>

#include "service/util/error.h"

/* 0: no limit. Waits until the counts are right, which after turning them on takes a while. The
 * change itself is charged to the subvolume of `pool_fd`: one that is full could not be given
 * more. */
int quota_btrfs_set(int pool_fd, int fd, uint64_t size, Error *ret_error);
/* What it holds, and what it may (0: no limit). -ENODATA while nothing is counted. */
int quota_btrfs_get(int fd, uint64_t *ret_used, uint64_t *ret_size);
