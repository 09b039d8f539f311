/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/container-archive.h"

#include <errno.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/archive-writer.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/container-index.h"
#include "service/worker/image/description.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/metadata-writer.h"
#include "service/worker/image/transfer.h"
#include "service/worker/storage/still.h"
#include "service/worker/storage/storage.h"

/* What goes into the archive beside the trees. */
typedef struct Content {
        const ArchiveLayout *layout;
        const char *compression;
        GBytes *index, *metadata;
        GVariant *templates; /* IMAGE_TEMPLATES_SIGNATURE */
        GVariant *snapshots; /* as */
} Content;

/* --- Inside the jail --------------------------------------------------------------------- */

typedef struct Progress {
        Jail *jail;
        double done, share; /* volumes */
} Progress;

static void on_progress(void *userdata, double fraction) {
        const Progress *progress = userdata;

        jail_report_progress(progress->jail, progress->done + progress->share * fraction);
}

static int write_volume(ArchiveWriter *archive, Jail *jail, const char *snapshot, guint number,
                        Error *ret_error) {
        const Content *content = jail->userdata;
        double share = 1.0 / ((double) g_variant_n_children(content->snapshots) + 1);
        const ArchiveLayout *layout = content->layout;
        g_autofree char *prefix = *snapshot ? g_strconcat(layout->snapshots, "/", snapshot, NULL)
                                            : g_strdup(layout->directory);
        Progress progress = { jail, number * share, share };
        _cleanup_close_ int root_fd = -EBADF;
        GVariantDict question;
        int r;

        g_variant_dict_init(&question, NULL);
        g_variant_dict_insert(&question, "volume", "s", snapshot);
        r = jail_ask(jail, g_variant_dict_end(&question), &root_fd);
        if (r < 0)
                return r;
        if (layout->plain)
                return tree_write(archive, root_fd, prefix, CONTAINER_ID_COUNT, on_progress,
                                  &progress, ret_error);
        return archive_writer_put(archive, prefix, content->metadata, content->templates, root_fd,
                                  CONTAINER_ID_COUNT, on_progress, &progress, ret_error);
}

static int write_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Content *content = jail->userdata;
        g_autoptr(ArchiveWriter) archive = NULL;
        const char *snapshot;
        GVariantIter iter;
        guint number = 0;
        int r;

        r = archive_writer_open(jail->input_fd, content->compression, true, &archive, ret_error);
        if (r >= 0)
                r = tree_write_file(archive, CONTAINER_INDEX_NAME,
                                    g_bytes_get_data(content->index, NULL),
                                    g_bytes_get_size(content->index), ret_error);
        g_variant_iter_init(&iter, content->snapshots);
        while (r >= 0 && g_variant_iter_next(&iter, "&s", &snapshot))
                r = write_volume(archive, jail, snapshot, number++, ret_error);
        if (r >= 0)
                r = write_volume(archive, jail, "", number, ret_error);
        return r < 0 ? r : archive_writer_finish(archive, ret_error);
}

/* --- Outside ----------------------------------------------------------------------------- */

typedef struct Source {
        const ArchiveLayout *layout;
        Pool *pool;
        const char *name;
        bool still;  /* take a picture of it: it is in use */
        char *stage;
} Source;

static void source_done(Source *source) {
        source->pool = pool_free(source->pool);
        g_clear_pointer(&source->stage, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Source, source_done)

static int open_volume(Worker *worker, GVariant *question, void *userdata, const char **stage,
                       int *ret_fd, Error *ret_error) {
        g_autofree char *full = NULL, *old_stage = NULL;
        Source *source = userdata;
        const VolumeFamily *family = source->layout->family;
        const char *snapshot;
        int r;

        if (!g_variant_lookup(question, "volume", "&s", &snapshot))
                return error_set(ret_error, ERROR_FAILED, "Writing the archive asks for nonsense");
        old_stage = source->stage;
        source->stage = *snapshot ? g_strdup_printf("writing snapshot %s", snapshot)
                                  : g_strdup_printf("writing the %s", source->layout->noun);
        *stage = source->stage;
        full = g_strconcat(source->name, "/", snapshot, NULL);
        if (*snapshot)
                r = volume_open(source->pool, family->snapshots, full, ret_fd, ret_error);
        else if (source->still)
                r = still_take(source->pool, family, source->name, ret_fd, ret_error);
        else
                r = volume_open(source->pool, family->kind, source->name, ret_fd,
                                ret_error);
        return r < 0 ? r : 1;
}

static int write_archive(Worker *worker, int to, const Content *content, Source *source,
                         Error *ret_error) {
        g_autoptr(GVariant) answer = NULL;
        const JailSpec spec = {
                .func = write_in_jail,
                .userdata = content,
                .input_fd = to,
                .root_fd = -EBADF,
                .idmapped = true,
                .wide = true,
                .writes_archive = true,
                .of_container = true,
                .answer = open_volume,
                .answer_userdata = source,
                .stage = "writing the archive",
        };
        int r;

        r = jail_run(&spec, worker, &answer, ret_error);
        if (source->still)
                still_drop(source->pool, source->layout->family, source->name);
        return r;
}

/* The name of each of aa{sv}. */
static GVariant *names_of(GVariant *snapshots) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (gsize i = 0; i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) snapshot = g_variant_get_child_value(snapshots, i);
                const char *name = "";

                (void) g_variant_lookup(snapshot, "name", "&s", &name);
                g_variant_builder_add(&builder, "s", name);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static int open_source(Worker *worker, Source *source, Error *ret_error) {
        int r;

        r = worker_get_string(worker, source->layout->family->argument, &source->name,
                              ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "running", &source->still, ret_error);
        if (r >= 0)
                r = pool_open(worker, &source->pool, ret_error);
        if (r < 0)
                return r;
        source->still = source->still && still_is_possible(source->pool);
        if (!pool_can_idmap(source->pool))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The pool of the %s cannot be mounted idmapped; it cannot be "
                                 "exported from there yet", source->layout->noun);
        return 0;
}

static int read_image_parts(Worker *worker, GVariant **ret_templates, GBytes **ret_metadata,
                            Error *ret_error) {
        int r = worker_get_variant(worker, "templates", IMAGE_TEMPLATES_SIGNATURE, ret_templates,
                                   ret_error);

        return r < 0 ? r : metadata_write(worker->args, ret_metadata, ret_error);
}

static int export_archive(Worker *worker, const ArchiveLayout *layout, Error *ret_error) {
        g_autoptr(GVariant) templates = NULL, index = NULL, snapshots = NULL, names = NULL;
        g_autoptr(GBytes) index_text = NULL, metadata = NULL;
        _cleanup_close_ int to = -EBADF;
        g_auto(Source) source = { .layout = layout };
        Content content = { .layout = layout };
        int r;

        to = transfer_open(worker_take_fd(worker, 0), TRANSFER_WRITE, ret_error);
        if (to < 0)
                return to;
        r = worker_get_string(worker, "compression", &content.compression, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "index", "a{sv}", &index, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "snapshots", "aa{sv}", &snapshots, ret_error);
        if (r >= 0)
                r = container_index_write(layout, index, snapshots, &index_text, ret_error);
        if (r >= 0 && !layout->plain)
                r = read_image_parts(worker, &templates, &metadata, ret_error);
        if (r >= 0)
                r = open_source(worker, &source, ret_error);
        /* What waits is a process that can be ended, so it may wait where it writes. */
        if (r >= 0)
                r = fd_set_nonblock(to, false);
        if (r < 0)
                return r;
        names = names_of(snapshots);
        content.index = index_text;
        content.metadata = metadata;
        content.templates = templates;
        content.snapshots = names;
        return write_archive(worker, to, &content, &source, ret_error);
}

int container_export(Worker *worker, GVariantDict *result, Error *ret_error) {
        return export_archive(worker, &archive_of_container, ret_error);
}

int volume_export(Worker *worker, GVariantDict *result, Error *ret_error) {
        return export_archive(worker, &archive_of_volume, ret_error);
}

int state_export(Worker *worker, GVariantDict *result, Error *ret_error) {
        return export_archive(worker, &archive_of_state, ret_error);
}
