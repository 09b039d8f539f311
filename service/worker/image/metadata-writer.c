/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/metadata-writer.h"

#include "service/util/cleanup.h"
#include "service/worker/image/description.h"
#include "service/worker/image/yaml-writer.h"

static void put_templates(YamlWriter *w, GVariant *templates) {
        yaml_begin_map(w);
        for (gsize i = 0; i < g_variant_n_children(templates); i++) {
                g_autoptr(GVariant) when = NULL, properties = NULL;
                const char *path, *file;
                gboolean create_only;

                g_variant_get_child(templates, i, "(&s&s&s@as@a{ss}b)", &path, &file, NULL, &when,
                                    &properties, &create_only);
                if (!*path)
                        continue;
                yaml_put_string(w, path);
                yaml_begin_map(w);
                yaml_put_string(w, "template");
                yaml_put_string(w, file);
                yaml_put_string(w, "when");
                yaml_put_words(w, when);
                yaml_put_string(w, "create_only");
                yaml_put_boolean(w, create_only);
                yaml_put_string(w, "properties");
                yaml_put_map(w, properties);
                yaml_end_map(w);
        }
        yaml_end_map(w);
}

static void put_seconds(YamlWriter *w, GVariant *args, const char *key, const char *name) {
        g_autofree char *text = NULL;
        guint64 usec = 0;

        (void) g_variant_lookup(args, key, "t", &usec);
        text = g_strdup_printf("%" G_GUINT64_FORMAT, usec / G_USEC_PER_SEC);
        yaml_put_string(w, name);
        yaml_put_plain(w, text);
}

int metadata_write(GVariant *args, GBytes **ret, Error *ret_error) {
        g_autoptr(GVariant) properties = g_variant_lookup_value(args, "properties",
                                                                G_VARIANT_TYPE("a{ss}"));
        g_autoptr(GVariant) templates = g_variant_lookup_value(
                args, "templates", G_VARIANT_TYPE(IMAGE_TEMPLATES_SIGNATURE));
        g_autoptr(YamlWriter) w = yaml_writer_new();
        const char *architecture = "";

        yaml_begin_map(w);
        (void) g_variant_lookup(args, "architecture", "&s", &architecture);
        yaml_put_string(w, "architecture");
        yaml_put_string(w, architecture);
        put_seconds(w, args, "created", "creation_date");
        put_seconds(w, args, "expires", "expiry_date");
        yaml_put_string(w, "properties");
        yaml_put_map(w, properties);
        yaml_put_string(w, "templates");
        put_templates(w, templates);
        yaml_end_map(w);
        return yaml_writer_finish(w, "metadata.yaml", ret, ret_error);
}
