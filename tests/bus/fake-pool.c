/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-pool.h"

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

int make_snapshots(Worker *worker, const char *container, GVariant *names,
                          Error *ret_error) {
        g_autofree char *parent = g_strconcat("snapshots/", container, NULL);
        const char *snapshot;
        GVariantIter iter;
        int r = 0;

        g_variant_iter_init(&iter, names);
        while (r >= 0 && g_variant_iter_next(&iter, "&s", &snapshot))
                r = make_dir_below(worker, parent, snapshot, ret_error);
        return r;
}
