/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Volumes of a pool, whatever its driver: each driver is a const table of functions, found by
 * name. A volume is a root filesystem and nothing else; see service/worker/operations.h for the
 * layout. Paths are resolved from the pool's directory fd through the path module; no name from
 * outside reaches the kernel unchecked.
 *
 * A name is 1 to VOLUME_NAME_MAX ASCII letters, digits, dashes, dots and underscores and does not
 * begin with a dot; that of a snapshot is PARENT/NAME. While a volume is made it is called
 * ".NAME.new", while it is deleted ".NAME.old": whoever is killed in between leaves something
 * that pool_sweep() finds.
 *
 * A function that returns 0 has its effect on disk, except volume_begin() and volume_clone_begin(),
 * whose volume gets there by volume_commit().
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct Pool Pool;
typedef struct PoolDriver PoolDriver;

typedef enum VolumeKind {
        VOLUME_IMAGE,
        VOLUME_CONTAINER,
        VOLUME_SNAPSHOT,
        VOLUME_CUSTOM,
        VOLUME_CUSTOM_SNAPSHOT,
        VOLUME_STATE,
        VOLUME_SNAPSHOT_STATE,
        _VOLUME_KIND_MAX,
} VolumeKind;

/* Volumes that have snapshots: both kinds, and the argument of operations that names one. */
typedef struct VolumeFamily {
        VolumeKind kind, snapshots;
        VolumeKind snapshot_states; /* _VOLUME_KIND_MAX: nothing runs in them */
        const char *argument;
} VolumeFamily;

extern const VolumeFamily volume_family_container, volume_family_custom, volume_family_state;

#define VOLUME_NAME_MAX 128

bool volume_name_is_valid(const char *name);

/* Opens the pool that the arguments of a worker name ("pool", "pool-driver", "pool-path"). As long
 * as any worker has it open, what is unfinished in it is not swept. */
int pool_open(Worker *worker, Pool **ret, Error *ret_error);
int pool_open_named(const char *name, const char *driver_name, const char *path, Pool **ret,
                    Error *ret_error);
/* The same of "from-pool", "from-driver", "from-path". */
int pool_open_source(Worker *worker, Pool **ret, Error *ret_error);
Pool *pool_free(Pool *pool);

/* Makes an empty volume under a temporary name (".NAME.new"), replacing one that was left. Its
 * directory fd is returned; volume_commit() gives it its name, and syncs it to disk first. A
 * snapshot becomes read-only with that, where the driver can. */
int volume_begin(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error);
/* The same where volumes have a size of their own, which may be hard to make smaller later (0: what
 * the pool says); volume_set_size() is needed nevertheless. */
int volume_begin_sized(Pool *pool, VolumeKind kind, const char *name, uint64_t size, int *ret_fd,
                       Error *ret_error);
/* ERROR_EXISTS if there is a volume of that name; the unfinished one then stays. */
int volume_commit(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
/* Removes the unfinished volume. */
int volume_abort(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);

/* Makes a copy: instant where the driver can. ERROR_EXISTS where `to` is there already; an
 * unfinished `to` is replaced. The source may be in use while it is copied. */
int volume_clone(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                 const char *to, Error *ret_error);
/* The same, but the copy is left unfinished, for work on it before volume_commit(). */
int volume_clone_begin(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                       const char *to, int *ret_fd, Error *ret_error);
/* Puts a copy of `from` in the place of `to`, which is kept beside it (".NAME.old"); and puts the
 * kept one back, or deletes it, fine when there is none. Interrupted anywhere, volume_replace() can
 * be done again, and volume_replace_undo() leads back. */
int volume_replace(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                   const char *to, Error *ret_error);
int volume_replace_undo(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
int volume_replace_end(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
/* Fills an unfinished volume of `to_pool` with what is in a volume of another pool; the source must
 * not change meanwhile. For volume_commit(), or volume_replace_with_new(). */
int volume_copy_begin(Pool *from_pool, VolumeKind from_kind, const char *from, Pool *to_pool,
                      VolumeKind to_kind, const char *to, int *ret_fd, Error *ret_error);
/* Puts the unfinished volume in the place of the finished one, as volume_replace() does. */
int volume_replace_with_new(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
/* All snapshots (of that kind) of one volume: deletes them; moves them to another name of it, fine
 * when they are there already or there are none. */
int volume_delete_snapshots(Pool *pool, VolumeKind kind, const char *parent, Error *ret_error);
int volume_rename_snapshots(Pool *pool, VolumeKind kind, const char *parent, const char *name,
                            Error *ret_error);
/* Deletes; fine when it is not there. */
int volume_delete(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
/* Fine when it has the new name already. A snapshot stays with its parent. */
int volume_rename(Pool *pool, VolumeKind kind, const char *name, const char *new_name,
                  Error *ret_error);
/* Directory fd of a volume; ERROR_NO_SUCH_VOLUME naming it where there is none. */
int volume_open(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error);

/* Limits what a volume may hold; 0: no limit. With `room` ERROR_NO_SPACE, and nothing changed,
 * where it holds more than that already. */
int volume_set_size(Pool *pool, VolumeKind kind, const char *name, uint64_t size, bool room,
                    Error *ret_error);
/* What it holds and what it may (0: no limit). -ENODATA, without a message, where nobody counts. */
int volume_get_size(Pool *pool, VolumeKind kind, const char *name, uint64_t *ret_used,
                    uint64_t *ret_size, Error *ret_error);

/* Whether the pool's filesystem can be mounted idmapped. Tried once, then remembered. */
bool pool_can_idmap(Pool *pool);
/* The same for a container's files; says so where they will have to be shifted, and refuses where
 * "may-shift" b of the request forbids that. */
int pool_choose_owners(Worker *worker, Pool *pool, bool *ret_idmapped, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_free)
