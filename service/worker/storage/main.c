/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>

#include "service/util/cleanup.h"
#include "service/worker/operations.h"
#include "service/worker/storage/copy.h"
#include "service/worker/storage/pool.h"
#include "service/worker/storage/resize.h"
#include "service/worker/storage/snapshot.h"
#include "service/worker/storage/storage.h"
#include "service/worker/storage/tree.h"
#include "service/worker/worker.h"

/* Opens the pool that the worker's arguments name, and reads the one that says which volume. */
static int open_pool_for(Worker *worker, const char *key, Pool **ret_pool, const char **ret_name,
                         Error *ret_error) {
        int r = worker_get_string(worker, key, ret_name, ret_error);

        return r < 0 ? r : pool_open(worker, ret_pool, ret_error);
}

/* Where the filesystem cannot be mounted idmapped, the ids are made right on disk. */
static int clone_shifted(Pool *pool, const char *image, const char *container,
                         const IdMap *map, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_clone_begin(pool, VOLUME_IMAGE, image, VOLUME_CONTAINER, container, &fd,
                               ret_error);
        if (r < 0)
                return r;
        r = tree_shift(fd, map, ret_error);
        if (r >= 0)
                r = volume_commit(pool, VOLUME_CONTAINER, container, ret_error);
        if (r < 0)
                (void) volume_abort(pool, VOLUME_CONTAINER, container, NULL);
        return r;
}

static int container_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(IdMap) map = NULL;
        g_autoptr(Pool) pool = NULL;
        const char *container, *image;
        uint64_t size;
        bool idmapped;
        int r;

        r = worker_get_string(worker, "image", &image, ret_error);
        if (r >= 0)
                r = worker_get_uint64(worker, "size", &size, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &map, ret_error);
        if (r >= 0)
                r = open_pool_for(worker, "container", &pool, &container, ret_error);
        if (r >= 0)
                r = pool_choose_owners(worker, pool, &idmapped, ret_error);
        if (r < 0)
                return r;

        worker_progress(worker, "Copying the image", -1);
        if (idmapped)
                r = volume_clone(pool, VOLUME_IMAGE, image, VOLUME_CONTAINER, container, ret_error);
        else
                r = clone_shifted(pool, image, container, map, ret_error);
        if (r < 0)
                return r;
        r = volume_set_size(pool, VOLUME_CONTAINER, container, size, true, ret_error);
        if (r < 0) {
                (void) volume_delete(pool, VOLUME_CONTAINER, container, NULL);
                return r;
        }
        g_variant_dict_insert(result, "idmapped", "b", idmapped);
        g_variant_dict_insert_value(result, "idmap", idmap_to_variant(map));
        return 0;
}

static int volume_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        g_autoptr(Pool) pool = NULL;
        const char *name;
        uint64_t size;
        int r;

        r = worker_get_uint64(worker, "size", &size, ret_error);
        if (r >= 0)
                r = open_pool_for(worker, "volume", &pool, &name, ret_error);
        if (r >= 0)
                r = volume_begin_sized(pool, VOLUME_CUSTOM, name, size, &fd, ret_error);
        if (r < 0)
                return r;
        r = volume_commit(pool, VOLUME_CUSTOM, name, ret_error);
        fd = fd_close(fd); /* what is open may not get smaller */
        if (r >= 0 && size > 0)
                r = volume_set_size(pool, VOLUME_CUSTOM, name, size, true, ret_error);
        return r;
}

static int delete_with_snapshots(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                                 Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        const char *name;
        int r = open_pool_for(worker, family->argument, &pool, &name, ret_error);

        if (r < 0)
                return r;
        r = volume_delete_snapshots(pool, family->snapshots, name, ret_error);
        if (r >= 0 && family->kind == VOLUME_CONTAINER)
                r = volume_delete_snapshots(pool, family->snapshot_states, name, ret_error);
        if (r >= 0 && family->kind == VOLUME_CONTAINER)
                r = volume_delete(pool, VOLUME_STATE, name, ret_error);
        return r < 0 ? r : volume_delete(pool, family->kind, name, ret_error);
}

static int rename_with_snapshots(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                                 Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        const char *old, *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = open_pool_for(worker, family->argument, &pool, &old, ret_error);
        if (r < 0)
                return r;
        r = volume_rename(pool, family->kind, old, name, ret_error);
        return r < 0 ? r : volume_rename_snapshots(pool, family->snapshots, old, name, ret_error);
}

/* Opens its pool, and deletes what there is of the state already. */
static int state_clear(Worker *worker, Pool **ret_pool, VolumeKind *ret_kind, char **ret_name,
                       Error *ret_error) {
        const char *container, *snapshot;
        int r;

        r = worker_get_string(worker, "snapshot", &snapshot, ret_error);
        if (r >= 0)
                r = open_pool_for(worker, "container", ret_pool, &container, ret_error);
        if (r < 0)
                return r;
        *ret_kind = *snapshot ? VOLUME_SNAPSHOT_STATE : VOLUME_STATE;
        *ret_name = g_strconcat(container, *snapshot ? "/" : NULL, snapshot, NULL);
        return volume_delete(*ret_pool, *ret_kind, *ret_name, ret_error);
}

static int state_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *name = NULL;
        g_autoptr(Pool) pool = NULL;
        VolumeKind kind;
        int r = state_clear(worker, &pool, &kind, &name, ret_error);

        if (r >= 0)
                r = volume_begin(pool, kind, name, &fd, ret_error);
        return r < 0 ? r : volume_commit(pool, kind, name, ret_error);
}

static int state_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *name = NULL;
        g_autoptr(Pool) pool = NULL;
        VolumeKind kind;

        return state_clear(worker, &pool, &kind, &name, ret_error);
}

static int image_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        const char *image;
        int r = open_pool_for(worker, "image", &pool, &image, ret_error);

        return r < 0 ? r : volume_delete(pool, VOLUME_IMAGE, image, ret_error);
}

static int get_usage(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                     Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        const char *name;
        uint64_t used, size;
        int r = open_pool_for(worker, family->argument, &pool, &name, ret_error);

        if (r >= 0)
                r = volume_get_size(pool, family->kind, name, &used, &size, ret_error);
        if (r == -ENODATA)
                return 0;
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "used", "t", used);
        g_variant_dict_insert(result, "size", "t", size);
        return 0;
}

/* What there is for containers and volumes alike. */
#define FAMILY_OPERATIONS(_) \
        _(CONTAINER_COPY, VOLUME_COPY, volume_copy) \
        _(CONTAINER_DELETE, VOLUME_DELETE, delete_with_snapshots) \
        _(CONTAINER_RENAME, VOLUME_RENAME, rename_with_snapshots) \
        _(CONTAINER_USAGE, VOLUME_USAGE, get_usage) \
        _(SNAPSHOT_CREATE, VOLUME_SNAPSHOT_CREATE, snapshot_create) \
        _(SNAPSHOT_DELETE, VOLUME_SNAPSHOT_DELETE, snapshot_delete) \
        _(SNAPSHOT_RENAME, VOLUME_SNAPSHOT_RENAME, snapshot_rename) \
        _(SNAPSHOT_RESTORE, VOLUME_SNAPSHOT_RESTORE, snapshot_restore) \
        _(SNAPSHOT_RESTORE_UNDO, VOLUME_SNAPSHOT_RESTORE_UNDO, snapshot_restore_undo) \
        _(SNAPSHOT_RESTORE_END, VOLUME_SNAPSHOT_RESTORE_END, snapshot_restore_end)

#define WRAPPERS(_container, _volume, _func) \
        static int container_##_func(Worker *worker, GVariantDict *result, Error *ret_error) { \
                return _func(worker, &volume_family_container, result, ret_error); \
        } \
        static int custom_##_func(Worker *worker, GVariantDict *result, Error *ret_error) { \
                return _func(worker, &volume_family_custom, result, ret_error); \
        }
#define CONTAINER_ROW(_container, _volume, _func) \
        { OPERATION_##_container, container_##_func },
#define VOLUME_ROW(_container, _volume, _func) { OPERATION_##_volume, custom_##_func },

FAMILY_OPERATIONS(WRAPPERS)

int main(void) {
        static const WorkerOperation operations[] = {
                { OPERATION_POOL_CREATE, pool_create },
                { OPERATION_POOL_MOUNT, pool_mount },
                { OPERATION_POOL_UNMOUNT, pool_unmount },
                { OPERATION_POOL_GROW, pool_grow },
                { OPERATION_POOL_SPACE, pool_space },
                { OPERATION_POOL_DELETE, pool_delete },
                { OPERATION_CONTAINER_CREATE, container_create },
                { OPERATION_STATE_CREATE, state_create },
                { OPERATION_STATE_DELETE, state_delete },
                { OPERATION_IMAGE_DELETE, image_delete },
                { OPERATION_VOLUME_CREATE, volume_create },
                { OPERATION_VOLUME_RESIZE, volume_resize },
                FAMILY_OPERATIONS(CONTAINER_ROW)
                FAMILY_OPERATIONS(VOLUME_ROW)
                { NULL },
        };

        return worker_main(operations);
}
