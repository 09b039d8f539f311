/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/container-archive.h"

#include <errno.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/container-reader.h"
#include "service/worker/image/description.h"
#include "service/worker/image/interruptible.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/transfer.h"
#include "service/worker/storage/storage.h"

/* Snapshots that one archive may have, and the sum of what is said of them. */
#define SNAPSHOTS_MAX 1000U
#define INDEX_MAX (3U << 20)

typedef struct Import {
        const ArchiveLayout *layout;
        uint64_t size;         /* of the archive, 0: not known */
        GVariantBuilder snapshots;
        gsize n_snapshots, index_size;
        uint64_t id_count; /* that the container is to have */
        Pool *pool;            /* NULL until berthd has said where it goes */
        const char *name;      /* that it gets there */
        GHashTable *awaited;   /* snapshots that have not come, "" for the thing itself */
        VolumeKind kind;
        char *volume;          /* that is being unpacked, or NULL */
        char *stage;
} Import;

static void import_done(Import *import) {
        import->pool = pool_free(import->pool);
        g_variant_builder_clear(&import->snapshots);
        g_clear_pointer(&import->awaited, g_hash_table_unref);
        g_clear_pointer(&import->volume, g_free);
        g_clear_pointer(&import->stage, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_done)

static int nonsense(Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "Reading the archive gave an answer that makes no sense, as a manipulated "
                         "archive may cause");
}

/* --- Inside the jail --------------------------------------------------------------------- */

static int read_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Import *import = jail->userdata;

        return container_read(jail, import->layout, import->size, result, ret_error);
}

/* --- What berthd says -------------------------------------------------------------------- */

static int send_index(Worker *worker, Import *import, GVariant *container, Error *ret_error) {
        g_autoptr(GVariant) index = NULL;
        g_autoptr(GBytes) bytes = NULL;
        _cleanup_close_ int fd = -EBADF;
        GVariantDict dict;
        int r;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert_value(&dict, "container", container);
        g_variant_dict_insert_value(&dict, "snapshots",
                                    g_variant_builder_end(&import->snapshots));
        index = g_variant_ref_sink(g_variant_dict_end(&dict));
        bytes = g_variant_get_data_as_bytes(index);
        fd = fd_new_memfd("berth-index", bytes);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot make a file in memory");
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "index", "b", TRUE);
        r = worker_send_event(worker, g_variant_dict_end(&dict), &fd, 1);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot tell berthd of the archive") : 0;
}

static int take_refusal(GVariant *content, Error *ret_error) {
        const char *name = "", *message = "";
        ErrorCode code;

        (void) g_variant_lookup(content, "name", "&s", &name);
        (void) g_variant_lookup(content, "message", "&s", &message);
        code = error_code_from_name(name);
        return error_set(ret_error, code == _ERROR_INVALID ? ERROR_FAILED : code, "%s", message);
}

/* Whether the container may come in, and where to. */
static int await_verdict(Worker *worker, Error *ret_error) {
        g_autoptr(GVariant) message = NULL, content = NULL;
        const char *kind;
        int r;

        r = interruptible_wait(worker->channel_fd, POLLIN, DEADLINE_NEVER);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r >= 0)
                r = worker_receive(worker, &message);
        if (r <= 0)
                return error_set_errno(ret_error, r < 0 ? -r : EPIPE, "berthd is silent");
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (!g_str_equal(kind, "accept"))
                return take_refusal(content, ret_error);
        g_variant_unref(worker->args);
        worker->args = TAKE_PTR(content);
        return 0;
}

static int open_target(Worker *worker, Import *import, Error *ret_error) {
        g_autoptr(GVariant) snapshots = NULL;
        const char *name;
        GVariantIter iter;
        int r;

        r = worker_get_string(worker, import->layout->family->argument, &import->name,
                              ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "snapshots", "as", &snapshots, ret_error);
        if (r >= 0)
                r = worker_get_uint64(worker, "id-count", &import->id_count, ret_error);
        if (r >= 0)
                r = pool_open(worker, &import->pool, ret_error);
        if (r < 0)
                return r;
        if (!pool_can_idmap(import->pool))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The storage pool cannot be mounted idmapped; a %s cannot be "
                                 "imported there yet", import->layout->noun);
        import->awaited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        (void) g_hash_table_add(import->awaited, g_strdup(""));
        g_variant_iter_init(&iter, snapshots);
        while (g_variant_iter_next(&iter, "&s", &name))
                (void) g_hash_table_add(import->awaited, g_strdup(name));
        return 0;
}

/* --- What the jail asks ------------------------------------------------------------------ */

static int take_snapshot(Import *import, GVariant *snapshot, Error *ret_error) {
        import->index_size += g_variant_get_size(snapshot);
        if (++import->n_snapshots > SNAPSHOTS_MAX || import->index_size > INDEX_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has too many snapshots: at most %u are accepted, "
                                 "with %u MiB of configuration together", SNAPSHOTS_MAX,
                                 INDEX_MAX >> 20);
        g_variant_builder_add_value(&import->snapshots, snapshot);
        return 0;
}

static int take_container(Worker *worker, Import *import, GVariant *container, Error *ret_error) {
        int r = send_index(worker, import, container, ret_error);

        if (r >= 0)
                r = await_verdict(worker, ret_error);
        return r < 0 ? r : open_target(worker, import, ret_error);
}

static int finish_volume(Import *import, Error *ret_error) {
        g_autofree char *volume = TAKE_PTR(import->volume);

        return volume ? volume_commit(import->pool, import->kind, volume, ret_error) : 0;
}

/* What it may hold, where that was said, or 0. */
static uint64_t wanted_size(Worker *worker) {
        uint64_t size;

        return worker_get_uint64(worker, "size", &size, NULL) < 0 ? 0 : size;
}

static int begin_volume(Worker *worker, Import *import, const char *snapshot, const char **stage,
                        int *ret_fd, Error *ret_error) {
        int r;

        g_free(import->stage);
        import->stage = *snapshot ? g_strdup_printf("unpacking snapshot %s", snapshot)
                                  : g_strdup_printf("unpacking the %s", import->layout->noun);
        *stage = import->stage;
        r = finish_volume(import, ret_error);
        if (r < 0)
                return r;
        import->kind = *snapshot ? import->layout->family->snapshots : import->layout->family->kind;
        import->volume = *snapshot ? g_strconcat(import->name, "/", snapshot, NULL)
                                   : g_strdup(import->name);
        r = volume_begin_sized(import->pool, import->kind, import->volume,
                               *snapshot ? 0 : wanted_size(worker), ret_fd, ret_error);
        return r < 0 ? r : 1;
}

static int on_question(Worker *worker, GVariant *question, void *userdata, const char **stage,
                       int *ret_fd, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        Import *import = userdata;
        const char *volume;

        value = g_variant_lookup_value(question, "snapshot", G_VARIANT_TYPE_VARDICT);
        if (value && !import->pool)
                return take_snapshot(import, value, ret_error);
        g_clear_pointer(&value, g_variant_unref);
        value = g_variant_lookup_value(question, "container", G_VARIANT_TYPE_VARDICT);
        if (value && !import->pool)
                return take_container(worker, import, value, ret_error);
        if (!import->pool || !g_variant_lookup(question, "volume", "&s", &volume) ||
            !g_hash_table_remove(import->awaited, volume))
                return nonsense(ret_error);
        return begin_volume(worker, import, volume, stage, ret_fd, ret_error);
}

/* --- The operation ----------------------------------------------------------------------- */

static int read_archive(Worker *worker, int from, Import *import, GVariantDict *result,
                        Error *ret_error) {
        g_autoptr(GVariant) answer = NULL;
        const JailSpec spec = {
                .func = read_in_jail,
                .userdata = import,
                .input_fd = from,
                .root_fd = -EBADF,
                .idmapped = true,
                .wide = true,
                .id_count = &import->id_count,
                .of_container = true,
                .answer = on_question,
                .answer_userdata = import,
                .stage = "reading the archive",
        };
        int r;

        r = jail_run(&spec, worker, &answer, ret_error);
        if (r >= 0 && (!import->pool || g_hash_table_size(import->awaited) > 0))
                r = nonsense(ret_error);
        if (r >= 0 && !import->layout->plain)
                r = image_description_check(answer, result, ret_error);
        if (r < 0)
                return r;
        worker_progress(worker, "writing to disk", -1);
        return finish_volume(import, ret_error);
}

static int limit_size(Worker *worker, const Import *import, Error *ret_error) {
        uint64_t size = wanted_size(worker);

        return size == 0 ? 0
                         : volume_set_size(import->pool, import->layout->family->kind, import->name,
                                           size, true, ret_error);
}

static int import_archive(Worker *worker, const ArchiveLayout *layout, GVariantDict *result,
                          Error *ret_error) {
        _cleanup_close_ int from = -EBADF;
        g_auto(Import) import = {
                .layout = layout,
                .snapshots = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}")),
        };
        int r;

        from = transfer_open(worker_take_fd(worker, 0), TRANSFER_READ, ret_error);
        if (from < 0)
                return from;
        import.size = transfer_bytes_left(from);
        /* What waits is a process that can be ended, so it may wait where it reads. */
        r = fd_set_nonblock(from, false);
        if (r >= 0)
                r = read_archive(worker, from, &import, result, ret_error);
        return r < 0 ? r : limit_size(worker, &import, ret_error);
}

int container_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        return import_archive(worker, &archive_of_container, result, ret_error);
}

int volume_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        return import_archive(worker, &archive_of_volume, result, ret_error);
}

int state_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        return import_archive(worker, &archive_of_state, result, ret_error);
}
