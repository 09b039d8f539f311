/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-metadata.h"

#include <string.h>

#include "service/model/config.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

#define PROPERTY_PREFIX "image."

static GVariant *get_properties(const Container *c) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, PROPERTY_PREFIX))
                        g_variant_builder_add(&builder, "{ss}", key + strlen(PROPERTY_PREFIX),
                                              value);
        return g_variant_builder_end(&builder);
}

GVariant *container_get_metadata(const Container *c) {
        GVariantDict metadata;

        g_variant_dict_init(&metadata, NULL);
        g_variant_dict_insert(&metadata, "architecture", "s", c->architecture);
        g_variant_dict_insert(&metadata, "created", "t", c->created);
        g_variant_dict_insert_value(&metadata, "properties", get_properties(c));
        g_variant_dict_insert_value(&metadata, "templates",
                                    image_templates_get_rules(c->templates));
        return g_variant_dict_end(&metadata);
}

/* The configuration with other properties. */
static GVariant *with_properties(const Container *c, GVariant *properties) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (!g_str_has_prefix(key, PROPERTY_PREFIX))
                        g_variant_builder_add(&builder, "{ss}", key, value);
        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                g_autofree char *own = g_strconcat(PROPERTY_PREFIX, key, NULL);

                g_variant_builder_add(&builder, "{ss}", own, value);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static int check_unlocked(Manager *m, Container *c, Error *ret_error) {
        Job *holder = manager_get_lock(m, &c->object);

        if (!holder)
                return 0;
        return error_set(ret_error, ERROR_BUSY, "Job %s (%s) works on the container \"%s\"",
                         holder->object.name, holder->operation, c->object.name);
}

/* NULL: as it is. On an error nothing has changed. */
static int commit(Manager *m, Container *c, GVariant *config, GVariant *templates,
                  Error *ret_error) {
        GVariant *old_config = c->config, *old_templates = c->templates;
        int r;

        c->config = g_variant_ref(config ?: old_config);
        c->templates = g_variant_ref(templates ?: old_templates);
        c->object.revision++;
        r = manager_save(m, &c->object, ret_error);
        if (r < 0) {
                g_variant_unref(c->config);
                g_variant_unref(c->templates);
                c->config = old_config;
                c->templates = old_templates;
                c->object.revision--;
                return r;
        }
        g_variant_unref(old_config);
        g_variant_unref(old_templates);
        manager_changed(m, &c->object);
        manager_lifecycle(m, c, "updated", NULL);
        return 0;
}

int container_update_metadata(Manager *m, Container *c, const ContainerMetadata *change,
                              Error *ret_error) {
        g_autoptr(GVariant) config = NULL, templates = NULL;
        int r;

        r = check_unlocked(m, c, ret_error);
        if (r >= 0 && change->if_revision && *change->if_revision != c->object.revision)
                r = error_set(ret_error, ERROR_CONFLICT,
                              "Container \"%s\" has changed meanwhile; read it again",
                              c->object.name);
        if (r >= 0 && change->properties)
                r = image_check_properties(change->properties, ret_error);
        if (r >= 0 && change->rules)
                r = image_templates_set_rules(c->templates, change->rules, &templates, ret_error);
        if (r < 0)
                return r;
        if (change->properties)
                config = with_properties(c, change->properties);
        return commit(m, c, config, templates, ret_error);
}

int container_read_template(const Container *c, const char *file, const char **ret,
                            Error *ret_error) {
        const char *content = image_templates_get(c->templates, file);

        if (!content)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "Container \"%s\" has no template \"%s\"", c->object.name, file);
        *ret = content;
        return 0;
}

int container_write_template(Manager *m, Container *c, const char *file, const char *content,
                             bool create, Error *ret_error) {
        g_autoptr(GVariant) templates = NULL;
        const char *unused;
        int r;

        r = check_unlocked(m, c, ret_error);
        if (r >= 0 && create && image_templates_get(c->templates, file))
                r = error_set(ret_error, ERROR_EXISTS,
                              "Container \"%s\" has a template \"%s\" already", c->object.name,
                              file);
        if (r >= 0 && !create)
                r = container_read_template(c, file, &unused, ret_error);
        if (r >= 0)
                r = image_templates_set(c->templates, file, content, &templates, ret_error);
        return r < 0 ? r : commit(m, c, NULL, templates, ret_error);
}

int container_delete_template(Manager *m, Container *c, const char *file, Error *ret_error) {
        g_autoptr(GVariant) templates = NULL;
        const char *unused;
        int r;

        r = check_unlocked(m, c, ret_error);
        if (r >= 0)
                r = container_read_template(c, file, &unused, ret_error);
        if (r < 0)
                return r;
        templates = image_templates_remove(c->templates, file);
        return commit(m, c, NULL, templates, ret_error);
}
