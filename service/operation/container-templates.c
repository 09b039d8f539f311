/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-templates.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/operation/container-files.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

#define TRIGGER_START "start"

/* What has happened to the container since it last ran, NULL for nothing. */
static const char *pending_trigger(const Container *c) {
        return config_get(c->config, TEMPLATE_TRIGGER_KEY);
}

/* Why the file is to be made, NULL if it is not. One that is due for both reasons is made as it
 * were once for each: the later counts, unless the first has made what is to be made once. */
static const char *trigger_of(const Container *c, const char *const *when, bool create_only) {
        const char *pending = pending_trigger(c);

        if (pending && !g_strv_contains(when, pending))
                pending = NULL;
        return g_strv_contains(when, TRIGGER_START) && !(pending && create_only) ? TRIGGER_START
                                                                                 : pending;
}

static GVariant *due_templates(const Container *c) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *path, *content;
        const char **when;
        GVariant *properties;
        gboolean create_only;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sssa{ss}b)"));
        g_variant_iter_init(&iter, c->templates);
        while (g_variant_iter_next(&iter, "(&s&s&s^a&s@a{ss}b)", &path, NULL, &content, &when,
                                   &properties, &create_only)) {
                const char *trigger = trigger_of(c, when, create_only);

                if (*path && trigger)
                        g_variant_builder_add(&builder, "(sss@a{ss}b)", path, content, trigger,
                                              properties, create_only);
                g_variant_unref(properties);
                g_free(when);
        }
        return g_variant_builder_end(&builder);
}

/* Truths are words, as templates written for LXD compare them. */
static GVariant *describe(const Container *c, GVariant *config) {
        bool privileged = config_get_boolean(config, "security.privileged");
        GVariantBuilder builder;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_builder_add(&builder, "{ss}", "name", c->object.name);
        g_variant_builder_add(&builder, "{ss}", "architecture", c->architecture);
        g_variant_builder_add(&builder, "{ss}", "ephemeral", c->ephemeral ? "true" : "false");
        g_variant_builder_add(&builder, "{ss}", "privileged", privileged ? "true" : "false");
        g_variant_builder_add(&builder, "{ss}", "type", "container");
        return g_variant_builder_end(&builder);
}

static GVariant *make_context(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantDict context;

        container_expand(m, c, &config, &devices);
        g_variant_dict_init(&context, NULL);
        g_variant_dict_insert_value(&context, "container", describe(c, config));
        g_variant_dict_insert_value(&context, "instance", describe(c, config));
        g_variant_dict_insert_value(&context, "config", config);
        g_variant_dict_insert_value(&context, "devices", devices);
        return g_variant_dict_end(&context);
}

void container_set_template_trigger(Container *c, const char *trigger) {
        const char *key = TEMPLATE_TRIGGER_KEY;
        GVariantBuilder builder;
        g_autoptr(GVariant) set = NULL, config = NULL;
        g_autoptr(GVariant) unset = g_variant_ref_sink(g_variant_new_strv(&key, 1));

        g_variant_builder_init(&builder, CONFIG_TYPE);
        if (trigger)
                g_variant_builder_add(&builder, "{ss}", key, trigger);
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        config = config_merge(c->config, set, trigger ? NULL : unset);
        g_variant_unref(c->config);
        c->config = TAKE_PTR(config);
}

static int templates_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;

        data->templates_made = true;
        container_set_template_trigger(data->container, NULL);
        job_repeat_step(job);
        return 0;
}

int step_make_templates(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_autoptr(GVariant) templates = g_variant_ref_sink(due_templates(c));
        GVariantDict args;
        int init_fd;

        if (data->templates_made || g_variant_n_children(templates) == 0) {
                if (pending_trigger(c))
                        container_set_template_trigger(c, NULL);
                return JOB_STEP_DONE;
        }
        g_variant_dict_init(&args, NULL);
        container_files_where(job->manager, c, &args, &init_fd);
        g_variant_dict_insert_value(&args, "templates", templates);
        g_variant_dict_insert_value(&args, "context", make_context(job->manager, c));
        return job_run_worker(job, OPERATION_FILE_TEMPLATES, g_variant_dict_end(&args), NULL, 0,
                              templates_done, ret_error);
}
