/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/archive.h"
#include "service/operation/volume-job.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* The longest description that an archive may bring. */
#define DESCRIPTION_MAX 4096U

typedef struct ArchiveJob {
        VolumeJob volume; /* its volume is NULL before the index, and once it was removed */
        Caller caller;
        int fd;           /* -EBADF once it has been handed on */
        char *compression;
        bool without_snapshots;
        char *pool, *name; /* import: where to, "" for the name in the archive */
        GVariant *index;   /* import: as the worker gave it; NULL: not yet */
} ArchiveJob;

static void archive_job_free(void *p) {
        ArchiveJob *data = p;

        fd_close(data->fd);
        g_free(data->compression);
        g_free(data->pool);
        g_free(data->name);
        g_clear_pointer(&data->index, g_variant_unref);
        g_free(data);
}

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   int archive, Job **ret, Error *ret_error) {
        ArchiveJob *data = g_new0(ArchiveJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->caller = caller;
        data->fd = fcntl(archive, F_DUPFD_CLOEXEC, 3);
        r = job_new(m, operation, caller.uid, steps, data, archive_job_free, &job, ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- export --- */

static GVariant *describe_snapshots(const ArchiveJob *data) {
        const GPtrArray *snapshots = data->volume.volume->snapshots;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, SNAPSHOTS_TYPE);
        for (guint i = 0; !data->without_snapshots && i < snapshots->len; i++) {
                const Snapshot *s = snapshots->pdata[i];
                GVariantDict dict;

                if (s->state != SNAPSHOT_READY)
                        continue;
                g_variant_dict_init(&dict, NULL);
                g_variant_dict_insert(&dict, "name", "s", snapshot_get_name(s));
                g_variant_dict_insert(&dict, "description", "s", s->description);
                g_variant_dict_insert_value(&dict, "config", s->config);
                g_variant_dict_insert(&dict, "created", "t", s->created);
                g_variant_dict_insert(&dict, "expires", "t", s->expires);
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }
        return g_variant_builder_end(&builder);
}

static GVariant *describe(const StorageVolume *v, const StoragePool *pool) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "name", "s", storage_volume_get_name(v));
        g_variant_dict_insert(&dict, "description", "s", v->description);
        g_variant_dict_insert_value(&dict, "config", v->config);
        g_variant_dict_insert(&dict, "created", "t", v->created);
        g_variant_dict_insert(&dict, "pool", "s", pool->object.name);
        g_variant_dict_insert(&dict, "backend", "s", pool->driver);
        return g_variant_dict_end(&dict);
}

static int export_run(Job *job, Error *ret_error) {
        ArchiveJob *data = job->data;
        const StorageVolume *v = data->volume.volume;
        g_autofree char *name = storage_volume_get_pool(v);
        _cleanup_close_ int fd = -EBADF;
        StoragePool *pool;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, name, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        fd = TAKE_FD(data->fd);
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "volume", "s", storage_volume_get_name(v));
        g_variant_dict_insert(&args, "running", "b", TRUE);
        g_variant_dict_insert(&args, "compression", "s", data->compression);
        g_variant_dict_insert_value(&args, "index", describe(v, pool));
        g_variant_dict_insert_value(&args, "snapshots", describe_snapshots(data));
        return job_run_worker(job, OPERATION_VOLUME_EXPORT, g_variant_dict_end(&args), &fd, 1,
                              NULL, ret_error);
}

int volume_export(Manager *m, Caller caller, StorageVolume *v, const VolumeExport *args, Job **ret,
                  Error *ret_error) {
        static const JobStep steps[] = {
                { "Writing the archive", export_run, NULL },
                { NULL },
        };
        g_autoptr(Job) job = NULL;
        ArchiveJob *data;
        int r;

        r = archive_check_stream(args->archive, O_WRONLY, "writing", ret_error);
        if (r >= 0)
                r = archive_check_compression(args->compression, ret_error);
        if (r >= 0)
                r = volume_check_ready(v, ret_error);
        if (r >= 0)
                r = new_job(m, "volume-export", caller, steps, args->archive, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &v->object, ret_error);
        if (r < 0)
                return r;
        data = job->data;
        data->volume.volume = v;
        data->compression = g_strdup(args->compression);
        data->without_snapshots = args->without_snapshots;
        job_add_subject(job, OBJECT_VOLUME, v->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- import: what the archive says --- */

/* A stranger's word: as much as if the caller had said it. */
static int read_config(GVariant *given, GVariant **ret, Error *ret_error) {
        GVariantBuilder builder;
        g_autoptr(GVariant) kept = NULL;
        const char *key, *value;
        GVariantIter iter;
        int r;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, given);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (!g_str_has_prefix(key, "volatile."))
                        g_variant_builder_add(&builder, "{ss}", key, value);
        kept = g_variant_ref_sink(g_variant_builder_end(&builder));
        r = config_check(kept, NULL, CONFIG_SCOPE_VOLUME, ret_error);
        if (r >= 0)
                *ret = config_merge(kept, NULL, NULL);
        return r;
}

static int incomplete(Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The archive's index lacks something or holds too much");
}

static int read_snapshots(GVariant *index, StorageVolume *v, Error *ret_error) {
        g_autoptr(GVariant) list = g_variant_lookup_value(index, "snapshots", SNAPSHOTS_TYPE);

        if (!list || g_variant_n_children(list) > SNAPSHOTS_MAX)
                return incomplete(ret_error);
        for (gsize i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, i);
                const char *name, *description;
                guint64 created, expires;
                Snapshot *s;
                int r;

                if (!g_variant_lookup(dict, "name", "&s", &name) ||
                    !g_variant_lookup(dict, "description", "&s", &description) ||
                    !g_variant_lookup(dict, "created", "t", &created) ||
                    !g_variant_lookup(dict, "expires", "t", &expires) ||
                    strlen(description) > DESCRIPTION_MAX || snapshots_find(v->snapshots, name))
                        return incomplete(ret_error);
                r = name_check(NAME_SNAPSHOT, name, ret_error);
                if (r < 0)
                        return r;
                s = snapshot_new(storage_volume_get_name(v), name, v->object.owner);
                s->state = SNAPSHOT_READY;
                s->created = created;
                s->expires = expires;
                g_free(s->description);
                s->description = g_strdup(description);
                g_ptr_array_add(v->snapshots, s);
        }
        return 0;
}

static int read_volume(Job *job, StorageVolume **ret, Error *ret_error) {
        const ArchiveJob *data = job->data;
        g_autoptr(GVariant) dict = NULL, config = NULL;
        g_autoptr(StorageVolume) v = NULL;
        const char *name, *description;
        int r;

        dict = g_variant_lookup_value(data->index, "container", G_VARIANT_TYPE_VARDICT);
        if (!dict || !g_variant_lookup(dict, "name", "&s", &name) ||
            !g_variant_lookup(dict, "description", "&s", &description) ||
            !g_variant_lookup(dict, "config", "@a{ss}", &config) ||
            strlen(description) > DESCRIPTION_MAX)
                return incomplete(ret_error);
        if (*data->name)
                name = data->name;
        r = volume_check_new(job->manager, manager_find_pool(job->manager, data->pool), name,
                             ret_error);
        if (r < 0)
                return r;
        v = storage_volume_new(data->pool, name, data->caller.uid);
        v->created = (uint64_t) g_get_real_time();
        g_free(v->description);
        v->description = g_strdup(description);
        g_variant_unref(v->config);
        v->config = NULL;
        r = read_config(config, &v->config, ret_error);
        if (r < 0) {
                v->config = config_empty();
                return r;
        }
        r = read_snapshots(data->index, v, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(v);
        return r;
}

/* --- import: steps --- */

static int accept_volume(Job *job, Error *ret_error) {
        ArchiveJob *data = job->data;
        GVariantBuilder snapshots;
        StorageVolume *v = NULL;
        GVariantDict args;
        int r;

        r = read_volume(job, &v, ret_error);
        if (r < 0)
                return r;
        data->volume.volume = v;
        manager_add(job->manager, &v->object);
        r = job_lock(job, &v->object, ret_error);
        g_assert(r >= 0); /* nobody else has seen it yet */
        job_add_subject(job, OBJECT_VOLUME, v->object.name);
        r = manager_save(job->manager, &v->object, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&snapshots, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; i < v->snapshots->len; i++)
                g_variant_builder_add(&snapshots, "s", snapshot_get_name(v->snapshots->pdata[i]));
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, manager_find_pool(job->manager, data->pool));
        g_variant_dict_insert(&args, "volume", "s", storage_volume_get_name(v));
        g_variant_dict_insert(&args, "size", "t", storage_volume_get_size(v));
        /* Containers with maps of any size may have it. */
        g_variant_dict_insert(&args, "id-count", "t", (guint64) G_MAXUINT32);
        g_variant_dict_insert_value(&args, "snapshots", g_variant_builder_end(&snapshots));
        r = worker_process_send(job->worker, "accept", g_variant_dict_end(&args));
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot go on with the import") : 0;
}

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        ArchiveJob *data = job->data;

        archive_take_index(job, fds, n_fds, &data->index, accept_volume,
                           "The archive's index cannot be used");
}

static int import_wait(Job *job, Error *ret_error) {
        ArchiveJob *data = job->data;
        StoragePool *unused;

        return step_wait_for_pool(job, data->pool, &unused, ret_error);
}

static int import_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ArchiveJob *data = job->data;

        return data->volume.volume
                       ? 0
                       : error_set(ret_error, ERROR_FAILED, "The image worker gave no index");
}

static int import_run(Job *job, Error *ret_error) {
        ArchiveJob *data = job->data;
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        GVariantDict args;
        int r;

        g_variant_dict_init(&args, NULL);
        r = job_run_worker(job, OPERATION_VOLUME_IMPORT, g_variant_dict_end(&args), &fd, 1,
                           import_done, ret_error);
        job->on_worker_event = on_event;
        return r;
}

static int import_files_undo(Job *job, Error *ret_error) {
        ArchiveJob *data = job->data;

        return data->volume.volume ? volume_step_unmake(job, ret_error) : JOB_STEP_DONE;
}

int volume_import(Manager *m, Caller caller, StoragePool *pool, int archive, const char *name,
                  Job **ret, Error *ret_error) {
        static const JobStep steps[] = {
                { "Waiting for storage", import_wait, volume_step_forget },
                { "Reading the archive", import_run, import_files_undo },
                { NULL, volume_step_commit, NULL },
                { NULL },
        };
        g_autoptr(Job) job = NULL;
        ArchiveJob *data;
        int r;

        r = archive_check_stream(archive, O_RDONLY, "reading", ret_error);
        /* What can be refused before anything is read. */
        if (r >= 0 && *name)
                r = volume_check_new(m, pool, name, ret_error);
        if (r >= 0)
                r = new_job(m, "volume-import", caller, steps, archive, &job, ret_error);
        if (r < 0)
                return r;
        data = job->data;
        data->pool = g_strdup(pool->object.name);
        data->name = g_strdup(name);
        *ret = TAKE_PTR(job);
        return 0;
}
