/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/snapshot.h"

#include "service/util/log.h"
#include "service/worker/storage/storage.h"

/* What all of these work on. */
typedef struct Request {
        Pool *pool;
        const char *container;
        char *snapshot; /* CONTAINER/NAME */
} Request;

static void request_done(Request *request) {
        request->pool = pool_free(request->pool);
        g_clear_pointer(&request->snapshot, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_done)

static int request_read(Worker *worker, Request *request, Error *ret_error) {
        const char *snapshot;
        int r;

        r = worker_get_string(worker, "container", &request->container, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "snapshot", &snapshot, ret_error);
        if (r < 0)
                return r;
        request->snapshot = g_strconcat(request->container, "/", snapshot, NULL);
        return pool_open(worker, &request->pool, ret_error);
}

int snapshot_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, &request, ret_error);

        return r < 0 ? r
                     : volume_clone(request.pool, VOLUME_CONTAINER, request.container,
                                    VOLUME_SNAPSHOT, request.snapshot, ret_error);
}

int snapshot_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, &request, ret_error);

        return r < 0 ? r
                     : volume_delete(request.pool, VOLUME_SNAPSHOT, request.snapshot, ret_error);
}

int snapshot_rename(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        g_autofree char *new_name = NULL;
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = request_read(worker, &request, ret_error);
        if (r < 0)
                return r;
        new_name = g_strconcat(request.container, "/", name, NULL);
        return volume_rename(request.pool, VOLUME_SNAPSHOT, request.snapshot, new_name, ret_error);
}

int snapshot_restore(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        uint64_t size;
        int r;

        r = worker_get_uint64(worker, "size", &size, ret_error);
        if (r >= 0)
                r = request_read(worker, &request, ret_error);
        if (r >= 0)
                r = volume_replace(request.pool, VOLUME_SNAPSHOT, request.snapshot,
                                   VOLUME_CONTAINER, request.container, ret_error);
        /* What it holds is what it held then: it may be more than it may hold now. */
        return r < 0 ? r
                     : volume_set_size(request.pool, VOLUME_CONTAINER, request.container, size,
                                       false, ret_error);
}

int snapshot_restore_undo(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, &request, ret_error);

        return r < 0 ? r
                     : volume_replace_undo(request.pool, VOLUME_CONTAINER, request.container,
                                           ret_error);
}

int snapshot_restore_end(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Request) request = { 0 };
        g_auto(Error) error = ERROR_INIT;
        int r = request_read(worker, &request, ret_error);

        if (r < 0)
                return r;
        if (volume_replace_end(request.pool, VOLUME_CONTAINER, request.container, &error) < 0)
                log_warning("%s; it is swept at the next start.", error.message);
        return 0;
}
