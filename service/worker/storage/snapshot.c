/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/snapshot.h"

#include "service/model/snapshot.h"
#include "service/util/log.h"
#include "service/worker/storage/storage.h"

/* What all of these work on. */
typedef struct Request {
        Pool *pool;
        const char *parent, *name;
        char *snapshot; /* PARENT/NAME */
} Request;

static void request_done(Request *request) {
        request->pool = pool_free(request->pool);
        g_clear_pointer(&request->snapshot, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_done)

static int request_read(Worker *worker, const VolumeFamily *family, Request *request,
                        Error *ret_error) {
        int r;

        r = worker_get_string(worker, family->argument, &request->parent, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "snapshot", &request->name, ret_error);
        if (r < 0)
                return r;
        request->snapshot = g_strconcat(request->parent, "/", request->name, NULL);
        return pool_open(worker, &request->pool, ret_error);
}

/* The snapshot PARENT/NAME, and the state that goes with it. */
static int delete_one(Pool *pool, const VolumeFamily *family, const char *snapshot,
                      Error *ret_error) {
        int r = 0;

        if (family->snapshot_states != _VOLUME_KIND_MAX)
                r = volume_delete(pool, family->snapshot_states, snapshot, ret_error);
        return r < 0 ? r : volume_delete(pool, family->snapshots, snapshot, ret_error);
}

int snapshot_create(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, family, &request, ret_error);

        /* What is there of a stand-in before it is made is left over. */
        if (r >= 0 && snapshot_name_is_stand_in(request.name))
                r = volume_delete(request.pool, family->snapshots, request.snapshot, ret_error);
        return r < 0 ? r
                     : volume_clone(request.pool, family->kind, request.parent,
                                    family->snapshots, request.snapshot, ret_error);
}

int snapshot_delete(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, family, &request, ret_error);

        return r < 0 ? r
                     : delete_one(request.pool, family, request.snapshot, ret_error);
}

/* Done again after it was interrupted, it finds the state under its new name. */
static int rename_state(const Request *request, const VolumeFamily *family, const char *new_name,
                        Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (family->snapshot_states == _VOLUME_KIND_MAX)
                return 0;
        r = volume_rename(request->pool, family->snapshot_states, request->snapshot, new_name,
                          &error);
        if (r >= 0 || error.code == ERROR_NO_SUCH_VOLUME)
                return 0;
        return error_set(ret_error, error.code, "%s", error.message);
}

int snapshot_rename(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error) {
        g_auto(Request) request = { 0 };
        g_autofree char *new_name = NULL;
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = request_read(worker, family, &request, ret_error);
        if (r < 0)
                return r;
        new_name = g_strconcat(request.parent, "/", name, NULL);
        r = rename_state(&request, family, new_name, ret_error);
        return r < 0 ? r
                     : volume_rename(request.pool, family->snapshots, request.snapshot, new_name,
                                     ret_error);
}

int snapshot_restore(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                     Error *ret_error) {
        g_auto(Request) request = { 0 };
        uint64_t size;
        int r;

        r = worker_get_uint64(worker, "size", &size, ret_error);
        if (r >= 0)
                r = request_read(worker, family, &request, ret_error);
        if (r >= 0)
                r = volume_replace(request.pool, family->snapshots, request.snapshot,
                                   family->kind, request.parent, ret_error);
        /* What it holds is what it held then: it may be more than it may hold now. */
        return r < 0 ? r
                     : volume_set_size(request.pool, family->kind, request.parent, size,
                                       false, ret_error);
}

int snapshot_restore_undo(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                          Error *ret_error) {
        g_auto(Request) request = { 0 };
        int r = request_read(worker, family, &request, ret_error);

        return r < 0 ? r
                     : volume_replace_undo(request.pool, family->kind, request.parent,
                                           ret_error);
}

int snapshot_restore_end(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                         Error *ret_error) {
        g_auto(Request) request = { 0 };
        g_auto(Error) error = ERROR_INIT;
        int r = request_read(worker, family, &request, ret_error);

        if (r < 0)
                return r;
        if (volume_replace_end(request.pool, family->kind, request.parent, &error) < 0)
                log_warning("%s; it is swept at the next start.", error.message);
        return 0;
}
