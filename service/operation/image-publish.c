/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "service/model/config.h"
#include "service/operation/archive.h"
#include "service/operation/container-interruption.h"
#include "service/operation/image-job.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

static int publish_stop(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        return *data->snapshot ? JOB_STEP_DONE : step_kill(job, ret_error);
}

static int publish_thaw(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        int r;

        if (*data->snapshot)
                return JOB_STEP_DONE;
        r = container_interrupt(job->manager, data->source.container, ret_error);
        return r < 0 ? r : step_stop_thaw(job, ret_error);
}

static int publish_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        const Container *c = data->source.container;
        g_autofree char *spool = image_archive_path(job->manager, data->spool, "");
        GVariantDict args;
        int r;

        r = step_begin_volume(job, c, &args, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_insert(&args, "spool", "s", spool);
        g_variant_dict_insert(&args, "snapshot", "s", data->snapshot);
        g_variant_dict_insert(&args, "compression", "s", data->compression);
        g_variant_dict_insert(&args, "architecture", "s", data->architecture);
        g_variant_dict_insert(&args, "created", "t", (guint64) g_get_real_time());
        g_variant_dict_insert(&args, "expires", "t", data->expires);
        g_variant_dict_insert_value(&args, "properties", data->properties);
        g_variant_dict_insert_value(&args, "templates", data->templates);
        return job_run_worker(job, OPERATION_IMAGE_PUBLISH, g_variant_dict_end(&args), NULL, 0,
                              image_step_imported, ret_error);
}

/* The container runs again, whatever becomes of the image. */
static int publish_restart(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        g_auto(Error) error = ERROR_INIT;

        if (container_resume(job->manager, data->source.container, job, &error) < 0)
                log_error("Container \"%s\" cannot be started again: %s",
                          data->source.container->object.name, error.message);
        return JOB_STEP_DONE;
}

static const JobStep publish_steps[] = {
        { NULL, publish_thaw, publish_restart },
        { "Stopping the container", publish_stop, NULL },
        { "Writing the image", publish_run, image_step_import_undo },
        { NULL, image_step_commit, NULL },
        { NULL, publish_restart, NULL },
        { NULL },
};

/* The properties of the image that the container came from, as it has them itself, and those that
 * are given. */
static GVariant *published_properties(GVariant *config, GVariant *given) {
        g_autoptr(GVariant) base = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "image."))
                        g_variant_builder_add(&builder, "{ss}", key + strlen("image."), value);
        base = g_variant_ref_sink(g_variant_builder_end(&builder));
        return config_merge(base, given, NULL);
}

static int publish_check(const ImagePublish *args, Error *ret_error) {
        const Container *c = args->source;
        int r;

        r = image_check_aliases(args->aliases, ret_error);
        if (r >= 0 && args->properties)
                r = image_check_properties(args->properties, ret_error);
        if (r >= 0)
                r = archive_check_compression(args->compression, ret_error);
        if (r < 0)
                return r;
        if (c->incomplete || c->state == CONTAINER_DELETING ||
            (args->snapshot && args->snapshot->state != SNAPSHOT_READY))
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        if (!args->snapshot && container_is_up(c) && !args->force)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is running; stop it first, publish a snapshot "
                                 "of it, or have it stopped and started again by force",
                                 c->object.name);
        return 0;
}

int image_publish(Manager *m, Caller caller, const ImagePublish *args, Job **ret,
                  Error *ret_error) {
        const Container *c = args->source;
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = publish_check(args, ret_error);
        if (r < 0)
                return r;
        data = image_job_new();
        data->source.container = args->source;
        data->source.force = true;
        data->snapshot = args->snapshot ? snapshot_get_name(args->snapshot) : "";
        data->spool = image_spool_name(m, caller.uid);
        data->aliases = g_strdupv((char **) args->aliases);
        data->properties = published_properties(args->snapshot ? args->snapshot->config : c->config,
                                                args->properties);
        data->filename = g_strdup("");
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        data->compression = g_strdup(args->compression);
        data->architecture = g_strdup(c->architecture);
        data->expires = args->expires;
        data->templates = g_variant_ref(c->templates);
        r = job_new(m, "image-publish", caller.uid, publish_steps, data, image_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &args->source->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
}

