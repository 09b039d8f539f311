/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-pool.h"

#include <errno.h>
#include <stdio.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

int make_dir_below(Worker *worker, const char *parent, const char *name, Error *ret_error) {
        g_autofree char *path = NULL;
        const char *pool;
        int r;

        r = worker_get_string(worker, "pool-path", &pool, ret_error);
        if (r < 0)
                return r;
        path = g_build_filename(pool, parent, name, NULL);
        return path_make_dirs(path, 0700);
}

int remove_below(Worker *worker, const char *parent, const char *name, Error *ret_error) {
        g_autofree char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *pool;
        int r;

        r = worker_get_string(worker, "pool-path", &pool, ret_error);
        if (r < 0)
                return r;
        path = g_build_filename(pool, parent, NULL);
        fd = path_open_dir(path);
        return fd < 0 ? 0 : path_remove_tree(fd, name);
}

int fake_pool_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *parent = NULL, *name = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *pool;
        int r;

        r = worker_get_string(worker, "pool-path", &pool, ret_error);
        if (r < 0)
                return r;
        parent = g_path_get_dirname(pool);
        name = g_path_get_basename(pool);
        fd = path_open_dir(parent);
        r = fd < 0 ? fd : path_remove_tree(fd, name);
        return r == -ENOENT ? 0 : r;
}

int make_snapshots(Worker *worker, const char *directory, const char *name, GVariant *names,
                   Error *ret_error) {
        g_autofree char *parent = g_strconcat(directory, "/", name, NULL);
        const char *snapshot;
        GVariantIter iter;
        int r = 0;

        g_variant_iter_init(&iter, names);
        while (r >= 0 && g_variant_iter_next(&iter, "&s", &snapshot))
                r = make_dir_below(worker, parent, snapshot, ret_error);
        return r;
}

/* Containers and volumes are in different directories, and named by different arguments. */
typedef struct Family {
        const char *argument, *directory, *snapshots;
} Family;

static const Family containers = { "container", "containers", "snapshots" };
static const Family volumes = { "volume", "custom", "custom-snapshots" };

static int delete_one(Worker *worker, const Family *family, Error *ret_error) {
        const char *name;
        int r = worker_get_string(worker, family->argument, &name, ret_error);

        if (r >= 0)
                r = remove_below(worker, family->snapshots, name, ret_error);
        return r < 0 ? r : remove_below(worker, family->directory, name, ret_error);
}

int fake_container_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        return delete_one(worker, &containers, ret_error);
}

int fake_volume_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        return delete_one(worker, &volumes, ret_error);
}

int fake_volume_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *name;
        int r = worker_get_string(worker, "volume", &name, ret_error);

        return r < 0 ? r : make_dir_below(worker, "custom", name, ret_error);
}

static int copy_one(Worker *worker, const Family *family, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) snapshots = NULL;
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "snapshots", "as", &snapshots, ret_error);
        if (r >= 0)
                r = make_dir_below(worker, family->directory, name, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "idmapped", "b", TRUE);
        return make_snapshots(worker, family->snapshots, name, snapshots, ret_error);
}

int fake_container_copy(Worker *worker, GVariantDict *result, Error *ret_error) {
        return copy_one(worker, &containers, result, ret_error);
}

int fake_volume_copy(Worker *worker, GVariantDict *result, Error *ret_error) {
        return copy_one(worker, &volumes, result, ret_error);
}

static int rename_below(const char *pool, const char *parent, const char *old, const char *new) {
        g_autofree char *from = g_build_filename(pool, parent, old, NULL);
        g_autofree char *to = g_build_filename(pool, parent, new, NULL);

        return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

static int rename_one(Worker *worker, const Family *family, Error *ret_error) {
        const char *pool, *old, *name;
        int r;

        r = worker_get_string(worker, "pool-path", &pool, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, family->argument, &old, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = rename_below(pool, family->directory, old, name);
        return r < 0 ? r : rename_below(pool, family->snapshots, old, name);
}

int fake_container_rename(Worker *worker, GVariantDict *result, Error *ret_error) {
        return rename_one(worker, &containers, ret_error);
}

int fake_volume_rename(Worker *worker, GVariantDict *result, Error *ret_error) {
        return rename_one(worker, &volumes, ret_error);
}

static int snapshot_parent(Worker *worker, char **ret_parent, const char **ret_name,
                           Error *ret_error) {
        const Family *family = &containers;
        const char *parent;
        int r;

        if (worker_get_string(worker, "volume", &parent, NULL) >= 0)
                family = &volumes;
        r = worker_get_string(worker, family->argument, &parent, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "snapshot", ret_name, ret_error);
        if (r >= 0)
                *ret_parent = g_strconcat(family->snapshots, "/", parent, NULL);
        return r;
}

int fake_snapshot_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *parent = NULL;
        const char *name;
        int r = snapshot_parent(worker, &parent, &name, ret_error);

        return r < 0 ? r : make_dir_below(worker, parent, name, ret_error);
}

int fake_snapshot_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *parent = NULL;
        const char *name;
        int r = snapshot_parent(worker, &parent, &name, ret_error);

        return r < 0 ? r : remove_below(worker, parent, name, ret_error);
}

int fake_snapshot_rename(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *parent = NULL;
        const char *snapshot, *name, *pool;
        int r = snapshot_parent(worker, &parent, &snapshot, ret_error);

        if (r >= 0)
                r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "pool-path", &pool, ret_error);
        return r < 0 ? r : rename_below(pool, parent, snapshot, name);
}
