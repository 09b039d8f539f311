/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "service/model/config.h"
#include "service/operation/archive.h"
#include "service/operation/container-archive.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

typedef struct ExportJob {
        ContainerJob source; /* what step_hold() looks at */
        int fd;              /* -EBADF once it has been handed on */
        char *compression;
        bool without_snapshots;
} ExportJob;

static void export_job_free(void *p) {
        ExportJob *data = p;

        fd_close(data->fd);
        g_free(data->compression);
        container_job_free(p);
}

/* --- what the archive says --- */

static void put_common(GVariantDict *dict, const char *name, const char *architecture,
                       const char *description, GVariant *config, GVariant *devices,
                       char **profiles) {
        g_variant_dict_insert(dict, "name", "s", name);
        g_variant_dict_insert(dict, "architecture", "s", architecture);
        g_variant_dict_insert(dict, "description", "s", description);
        g_variant_dict_insert_value(dict, "config", config);
        g_variant_dict_insert_value(dict, "devices", devices);
        g_variant_dict_insert(dict, "profiles", "^as", profiles);
}

/* LXD reads the root disk from what the profiles made of it, too. */
static void put_expanded(GVariantDict *dict, Manager *m, uid_t owner, char **profiles,
                         GVariant *config, GVariant *devices) {
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;

        profiles_expand(m, owner, (const char *const *) profiles, config, devices, &all_config,
                        &all_devices);
        g_variant_dict_insert_value(dict, "expanded_config", all_config);
        g_variant_dict_insert_value(dict, "expanded_devices", all_devices);
}

static GVariant *describe_container(Manager *m, const Container *c) {
        const StoragePool *pool = manager_find_pool(m, c->pool);
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        put_common(&dict, c->object.name, c->architecture, c->description, c->config, c->devices,
                   c->profiles);
        put_expanded(&dict, m, c->object.owner, c->profiles, c->config, c->devices);
        g_variant_dict_insert(&dict, "ephemeral", "b", c->ephemeral);
        g_variant_dict_insert(&dict, "created", "t", c->created);
        g_variant_dict_insert(&dict, "pool", "s", c->pool);
        g_variant_dict_insert(&dict, "backend", "s", pool->driver);
        return g_variant_dict_end(&dict);
}

static GVariant *describe_snapshot(Manager *m, const Container *c, const Snapshot *s) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        put_common(&dict, snapshot_get_name(s), c->architecture, s->description, s->config,
                   s->devices, s->profiles);
        put_expanded(&dict, m, c->object.owner, s->profiles, s->config, s->devices);
        g_variant_dict_insert(&dict, "ephemeral", "b", s->ephemeral);
        g_variant_dict_insert(&dict, "created", "t", s->created);
        g_variant_dict_insert(&dict, "expires", "t", s->expires);
        return g_variant_dict_end(&dict);
}

static GVariant *describe_snapshots(Manager *m, const ExportJob *data) {
        const Container *c = data->source.container;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, SNAPSHOTS_TYPE);
        for (guint i = 0; !data->without_snapshots && i < c->snapshots->len; i++) {
                const Snapshot *s = c->snapshots->pdata[i];

                if (s->state == SNAPSHOT_READY)
                        g_variant_builder_add_value(&builder, describe_snapshot(m, c, s));
        }
        return g_variant_builder_end(&builder);
}

/* "os" and the like, as its image had them. */
static GVariant *image_properties(const Container *c) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "image."))
                        g_variant_builder_add(&builder, "{ss}", key + strlen("image."), value);
        return g_variant_builder_end(&builder);
}

/* --- steps --- */

/* Here so that its undo comes after that of the next step. */
static int export_wait(Job *job, Error *ret_error) {
        ExportJob *data = job->data;
        StoragePool *pool;

        return step_wait_for_pool(job, data->source.container->pool, &pool, ret_error);
}

static int export_run(Job *job, Error *ret_error) {
        ExportJob *data = job->data;
        const Container *c = data->source.container;
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        Manager *m = job->manager;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, m, manager_find_pool(m, c->pool));
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "running", "b", container_is_up(c));
        g_variant_dict_insert(&args, "compression", "s", data->compression);
        g_variant_dict_insert_value(&args, "index", describe_container(m, c));
        g_variant_dict_insert_value(&args, "snapshots", describe_snapshots(m, data));
        g_variant_dict_insert(&args, "architecture", "s", c->architecture);
        g_variant_dict_insert(&args, "created", "t", c->created);
        g_variant_dict_insert(&args, "expires", "t", UINT64_C(0));
        g_variant_dict_insert_value(&args, "properties", image_properties(c));
        g_variant_dict_insert_value(&args, "templates", c->templates);
        return job_run_worker(job, OPERATION_CONTAINER_EXPORT, g_variant_dict_end(&args), &fd, 1,
                              NULL, ret_error);
}

static const JobStep export_steps[] = {
        { "Waiting for storage", export_wait, step_released },
        { "Freezing the container", step_hold, step_release },
        { "Writing the archive", export_run, NULL },
        { "Thawing the container", step_release, NULL },
        { NULL, step_released, NULL },
        { NULL },
};

/* --- the call --- */

static int export_check(const Container *c, const ContainerExport *args, Error *ret_error) {
        int r;

        r = archive_check_stream(args->archive, O_WRONLY, "writing", ret_error);
        if (r >= 0)
                r = archive_check_compression(args->compression, ret_error);
        if (r < 0)
                return r;
        if (c->incomplete || c->state == CONTAINER_DELETING)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        if (c->shifted)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Container \"%s\" is stored with the ids of its own range, since "
                                 "its pool's filesystem cannot be mounted idmapped; such ones "
                                 "cannot be exported yet", c->object.name);
        return 0;
}

int container_export(Manager *m, Caller caller, Container *c, const ContainerExport *args,
                     Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ExportJob *data;
        int r;

        r = export_check(c, args, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ExportJob, 1);
        data->source.container = c;
        data->compression = g_strdup(args->compression);
        data->without_snapshots = args->without_snapshots;
        data->fd = fcntl(args->archive, F_DUPFD_CLOEXEC, 3);
        r = job_new(m, "container-export", caller.uid, export_steps, data, export_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}
