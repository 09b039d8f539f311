/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pools that have a filesystem of their own: a btrfs in a loop file or on a whole block device. A
 * device is known by the filesystem's id, whatever name it has today. What is about loop files
 * alone serves pools of driver lvm as well. Functions return 0 or -errno.
 */

#include "service/worker/storage/pool-source.h"

/* Makes the file, and of a btrfs pool its filesystem. Leaves nothing when it fails. */
int pool_disk_make_file(PoolSource *source, Error *ret_error);
/* The loop device of the file, which goes when the fd is closed and nothing else holds it. */
int pool_disk_attach_file(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error);
/* The same, after file and device have become source->size large; fine if they are. */
int pool_disk_extend_file(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error);
/* Makes a filesystem on the device, unless there is one of any kind. Sets source->uuid. */
int pool_disk_make_device(PoolSource *source, Error *ret_error);
/* The device holds no filesystem any more. Fine where it has gone, or holds another one. */
int pool_disk_wipe_device(PoolSource *source);
int pool_disk_mount(PoolSource *source, int target_fd, Error *ret_error);
/* Whether it is what is mounted at `fd`: positive if so. */
int pool_disk_is_mounted_at(PoolSource *source, int fd, Error *ret_error);
/* Makes the loop file, and the filesystem mounted at `fd`, as large as source->size; fine if it is.
 * ERROR_INVALID_CONFIG where it is larger. */
int pool_disk_grow_file(PoolSource *source, int fd, Error *ret_error);
