/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a pool's data is: in a directory of our own (STATE/mounts/NAME itself), in a directory that
 * an administrator gave, in a loop file (STATE/disks/NAME.img), on a block device, or in a volume
 * group of LVM. Whichever
 * it is, it gets mounted at STATE/mounts/NAME, which makes pools alike for everything else, keeps
 * setuid programs and device nodes of containers dead on the host, and tells an available pool from
 * an empty directory whose disk is not there.
 *
 * The name of the kind is not stored: "source", as creation returned it, says it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/worker/storage/driver.h"

typedef enum PoolSourceKind {
        POOL_SOURCE_OWN,
        POOL_SOURCE_DIRECTORY,
        POOL_SOURCE_LOOP,
        POOL_SOURCE_DEVICE,
        POOL_SOURCE_GROUP, /* a volume group of LVM */
} PoolSourceKind;

typedef struct PoolSource {
        const PoolDriver *driver;
        PoolSourceKind kind;
        char *pool;
        char *path;       /* of the directory, the loop file or the device; a group's name */
        char *uuid;       /* that the filesystem on a device has or gets, or the pool in a group */
        GVariant *config; /* a{ss}: the pool's */
        char *image;      /* name of the loop file in disks_fd */
        uint64_t size;    /* of the loop file */
        int state_fd;
        int pools_fd;     /* STATE/mounts */
        int disks_fd;     /* STATE/disks, where there is a loop file */
        bool made;        /* the directory was not there */
        bool adopts;      /* without a UUID: whatever is on the device is the pool's */
        bool adopted;     /* that is how its volume group was found */
        mode_t old_mode;  /* of a directory that was given, before it became the pool's */
} PoolSource;

static inline bool pool_source_is_disk(const PoolSource *source) {
        return source->kind == POOL_SOURCE_LOOP || source->kind == POOL_SOURCE_DEVICE ||
               source->kind == POOL_SOURCE_GROUP;
}

/* A btrfs wants 109 MiB for itself; with less than this nothing of use fits. */
#define POOL_LOOP_SIZE_MIN (UINT64_C(256) << 20)
#define POOL_LOOP_SIZE_DEFAULT_MIN (UINT64_C(5) << 30)
#define POOL_LOOP_SIZE_DEFAULT_MAX (UINT64_C(30) << 30)

#define POOL_SOURCE_INIT \
        ((PoolSource) { .state_fd = -EBADF, .pools_fd = -EBADF, .disks_fd = -EBADF })

/* Reads and checks the arguments of the pool operations. */
int pool_source_read(Worker *worker, PoolSource *ret, Error *ret_error);
void pool_source_done(PoolSource *source);

/* Makes the loop file with its filesystem, or takes the (empty) directory. Leaves nothing when it
 * fails. */
int pool_source_make(PoolSource *source, Error *ret_error);
/* Undoes that, once nothing is mounted and the directory is empty again. */
int pool_source_unmake(PoolSource *source, Error *ret_error);
/* Mounts it on the directory `target_fd`; what is mounted then, at `root_fd`, is made to follow the
 * configuration; and what held it is let go of once it is not mounted any more. */
int pool_source_mount(PoolSource *source, int target_fd, Error *ret_error);
int pool_source_settle(PoolSource *source, int root_fd, Error *ret_error);
int pool_source_release(PoolSource *source, Error *ret_error);
/* Whether it is what is mounted at `fd`: positive if so. */
int pool_source_is_mounted_at(PoolSource *source, int fd, Error *ret_error);
/* The directory with the data, not by way of the mount. -ENOENT, without a message, where it is not
 * there. Not for what has a
 * filesystem of its own. */
int pool_source_open_directory(PoolSource *source, int *ret_fd, Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PoolSource, pool_source_done)
