/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/resize.h"

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/storage.h"

#define SIZES_TYPE "a(sssssttb)"

/* One volume of the request. */
typedef struct Resize {
        const char *pool, *driver, *path, *directory, *name;
        uint64_t size, old;
        gboolean room;
} Resize;

static int resize_one(const Resize *resize, uint64_t size, bool room, Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        int r = pool_open_named(resize->pool, resize->driver, resize->path, &pool, ret_error);

        if (r < 0)
                return r;
        for (VolumeKind kind = 0; kind < _VOLUME_KIND_MAX; kind++)
                if (!volume_kind_is_snapshot(kind) &&
                    g_str_equal(volume_kind_directory(kind), resize->directory))
                        return volume_set_size(pool, kind, resize->name, size, room, ret_error);
        return error_set(ret_error, ERROR_INVALID_ARGS, "There are no volumes in \"%s\"",
                         resize->directory);
}

static void resize_read(GVariant *volumes, gsize i, Resize *ret) {
        g_variant_get_child(volumes, i, "(&s&s&s&s&sttb)", &ret->pool, &ret->driver, &ret->path,
                            &ret->directory, &ret->name, &ret->size, &ret->old, &ret->room);
}

int volume_resize(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) volumes = NULL;
        Resize resize;
        gsize i, n;
        int r;

        r = worker_get_variant(worker, "volumes", SIZES_TYPE, &volumes, ret_error);
        if (r < 0)
                return r;
        n = g_variant_n_children(volumes);
        for (i = 0; r >= 0 && i < n; i++) {
                if (worker_is_cancelled())
                        r = worker_cancelled(ret_error);
                if (r >= 0) {
                        resize_read(volumes, i, &resize);
                        r = resize_one(&resize, resize.size, resize.room, ret_error);
                }
        }
        if (r >= 0)
                return 0;
        /* The last one has left itself as it was. */
        for (i--; i > 0; i--) {
                g_auto(Error) error = ERROR_INIT;

                resize_read(volumes, i - 1, &resize);
                if (resize_one(&resize, resize.old, false, &error) < 0)
                        log_warning("%s.", error.message);
        }
        return r;
}
