/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pools of driver lvm: a volume group on a loop file or a block device, or one that an
 * administrator made and left empty. See service/worker/thin-volume.h for what is in it. The group
 * bears the tag "berth-UUID" of the pool, by which it is found, whatever it and its disks are
 * called today; only groups with that tag are ever changed. Functions return 0 or -errno.
 */

#include "service/worker/storage/pool-source.h"

/* Makes the group, where there is none to take, and what is in it. Leaves nothing when it fails. */
int pool_lvm_make(PoolSource *source, Error *ret_error);
/* Undoes that: an administrator's group is empty again. Fine where there is none. */
int pool_lvm_unmake(PoolSource *source, Error *ret_error);
/* Mounts the tree. */
int pool_lvm_mount(PoolSource *source, int target_fd, Error *ret_error);
/* Writes down what new volumes are like, and how all are mounted. */
int pool_lvm_settle(PoolSource *source, int root_fd, Error *ret_error);
int pool_lvm_is_mounted_at(PoolSource *source, int fd, Error *ret_error);
/* Lets go of disks, once nothing is mounted. */
int pool_lvm_release(PoolSource *source, Error *ret_error);
/* As pool_disk_grow_file(). */
int pool_lvm_grow_file(PoolSource *source, Error *ret_error);
/* Bytes of the thin pool. */
int pool_lvm_get_space(int root_fd, uint64_t *ret_total, uint64_t *ret_used, Error *ret_error);
