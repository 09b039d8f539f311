/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a storage driver does, and what it knows of a pool. A driver makes, copies and removes one
 * volume in one directory; names, unfinished volumes, renaming and sentences for the user are the
 * same for all and live in volume.c and its neighbours. `dir_fd` is the directory that holds the
 * volume, `name` one component that has been checked. All functions return 0 or -errno.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/worker/storage/storage.h"

struct PoolDriver {
        const char *name;
        /* A copy is what the source is at one moment, also while it is written to. */
        bool takes_pictures;
        /* Whether a pool of this driver can be in the filesystem of `fd`: -EOPNOTSUPP if not. */
        int (*check)(int fd);
        /* Of `size`, where volumes have one of their own (0: what the pool says). */
        int (*create)(int dir_fd, const char *name, uint64_t size, Error *ret_error);
        /* Opens the root directory of a volume. NULL where it is what has that name. */
        int (*open)(int dir_fd, const char *name, bool read_only);
        /* Copies the volume behind `source_fd`; what is there of the copy when it fails is the
         * caller's to remove. */
        int (*clone)(int source_fd, int dir_fd, const char *name, Error *ret_error);
        /* The same in one step that is on disk when it returns, and that leaves nothing when it
         * fails. NULL, or -EOPNOTSUPP, where that cannot be done. */
        int (*clone_at_once)(int source_fd, int dir_fd, const char *name, bool read_only);
        /* Nothing can be changed in the volume behind `fd` any more. NULL where that cannot be. */
        int (*seal)(int fd);
        /* Removes whatever has that name, without following a link or crossing a mount; fine when
         * there is nothing. */
        int (*remove)(int dir_fd, const char *name);
        /* Removes the volume in one step, or leaves it as it is. NULL, or -EOPNOTSUPP, where that
         * cannot be done. */
        int (*remove_at_once)(int dir_fd, const char *name);
        /* Limits what the volume behind `fd` may hold (0: no limit), and says what it holds and may
         * hold (-ENODATA while that is not counted). `pool_fd` is the pool's root. */
        int (*set_size)(int pool_fd, int fd, uint64_t size, Error *ret_error);
        /* Instead of set_size, where no limit is set but the volume has the size itself (0: which
         * it may keep). `room` as for volume_set_size(); without it, what cannot be made smaller
         * stays as it is. */
        int (*resize)(int dir_fd, const char *name, uint64_t size, bool room, Error *ret_error);
        int (*get_size)(int fd, uint64_t *ret_used, uint64_t *ret_size);
};

struct Pool {
        char *name;
        const PoolDriver *driver;
        int fd;        /* the root directory; holds a shared lock */
        int can_idmap; /* negative until it has been tried */
};

extern const PoolDriver pool_driver_btrfs;
extern const PoolDriver pool_driver_dir;
extern const PoolDriver pool_driver_lvm;

/* NULL where there is no driver of that name. */
const PoolDriver *pool_driver_find(const char *name);

/* Name of the directory below a pool's root that holds the volumes of a kind. */
const char *volume_kind_directory(VolumeKind kind);
/* Its volumes are each in a directory of its parent's. */
bool volume_kind_is_snapshot(VolumeKind kind);
/* The directory is made with the first volume in it: earlier versions did not know it. */
/* Once it is finished. */
bool volume_kind_is_read_only(VolumeKind kind);
bool volume_kind_is_later(VolumeKind kind);
