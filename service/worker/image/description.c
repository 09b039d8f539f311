/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/description.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"

/* --- Inside the jail --------------------------------------------------------------------- */

/* Sorted, so that the same image gives the same bytes. */
static GVariant *properties_to_variant(GHashTable *properties) {
        g_autoptr(GList) keys =
                g_list_sort(g_hash_table_get_keys(properties), (GCompareFunc) strcmp);
        g_auto(GVariantBuilder) builder =
                G_VARIANT_BUILDER_INIT((const GVariantType *) IMAGE_PROPERTIES_TYPE);

        for (GList *l = keys; l; l = l->next)
                g_variant_builder_add(&builder, "{ss}", l->data,
                                      g_hash_table_lookup(properties, l->data));
        return g_variant_builder_end(&builder);
}

static int template_add(const ImageTemplate *template, GHashTable *contents,
                        GVariantBuilder *builder, Error *ret_error) {
        GBytes *content = g_hash_table_lookup(contents, template->file);
        g_autofree char *file = text_for_message(template->file), *text = NULL;
        gsize size = 0;
        const char *data;

        if (!content)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "metadata.yaml names the template \"%s\", which the archive does "
                                 "not hold", file);
        data = g_bytes_get_data(content, &size);
        if (size > 0 && !g_utf8_validate(data, (gssize) size, NULL))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The template \"%s\" is not UTF-8 text", file);
        text = g_strndup(data ?: "", size);
        g_variant_builder_add(builder, "(sss@as@a{ss}b)", template->path, template->file, text,
                              g_variant_new_strv((const char *const *) template->when->pdata,
                                                 (gssize) template->when->len),
                              properties_to_variant(template->properties), template->create_only);
        return 0;
}

int image_description_build(const ImageMetadata *metadata, GHashTable *contents,
                            uint32_t skipped_devices, GVariantDict *dict, Error *ret_error) {
        g_auto(GVariantBuilder) builder =
                G_VARIANT_BUILDER_INIT((const GVariantType *) IMAGE_TEMPLATES_SIGNATURE);
        g_autoptr(GVariant) properties = NULL, templates = NULL;
        gsize size;

        for (size_t i = 0; i < metadata->templates->len; i++) {
                int r = template_add(metadata->templates->pdata[i], contents, &builder, ret_error);

                if (r < 0)
                        return r;
        }
        properties = g_variant_ref_sink(properties_to_variant(metadata->properties));
        templates = g_variant_ref_sink(g_variant_builder_end(&builder));
        size = g_variant_get_size(properties) + g_variant_get_size(templates);
        if (size > IMAGE_DESCRIPTION_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The image's properties and templates are too large: %zu bytes, "
                                 "at most %u are accepted", size, IMAGE_DESCRIPTION_MAX);

        g_variant_dict_insert(dict, "architecture", "s", metadata->architecture);
        g_variant_dict_insert(dict, "created", "t", metadata->created_usec);
        g_variant_dict_insert(dict, "expires", "t", metadata->expires_usec);
        g_variant_dict_insert_value(dict, "properties", properties);
        g_variant_dict_insert_value(dict, "templates", templates);
        g_variant_dict_insert(dict, "skipped-devices", "u", skipped_devices);
        return 0;
}

/* --- Outside ----------------------------------------------------------------------------- */

static bool names_are_valid(GVariant *properties) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        GVariantIter iter;
        const char *key;

        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (key[0] == '\0' || !text_is_printable(key) ||
                    !g_hash_table_add(seen, (gpointer) key))
                        return false;
        return true;
}

static bool properties_are_valid(GVariant *properties) {
        GVariantIter iter;
        const char *value;

        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&s&s}", NULL, &value))
                if (!text_is_printable(value))
                        return false;
        return names_are_valid(properties);
}

static bool template_is_valid(GVariant *template) {
        g_autoptr(GVariant) properties = g_variant_get_child_value(template, 4);
        g_autofree const char **when = NULL;
        const char *path, *file, *content;

        g_variant_get(template, "(&s&s&s^a&s@a{ss}b)", &path, &file, &content, &when, NULL, NULL);
        if (!image_template_path_is_valid(path) || !image_template_file_is_valid(file) ||
            strlen(content) > IMAGE_TEMPLATE_MAX)
                return false;
        for (const char **word = when; *word; word++)
                if (!image_template_when_is_valid(*word))
                        return false;
        return names_are_valid(properties);
}

static bool templates_are_valid(GVariant *templates) {
        if (g_variant_n_children(templates) > IMAGE_TEMPLATES_MAX)
                return false;
        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_autoptr(GVariant) template = g_variant_get_child_value(templates, i);

                if (!template_is_valid(template))
                        return false;
        }
        return true;
}

static bool architecture_is_valid(GVariant *value) {
        const char *name = g_variant_get_string(value, NULL);

        return g_strcmp0(architecture_from_name(name), name) == 0;
}

static bool date_is_valid(GVariant *value) {
        return g_variant_get_uint64(value) <= IMAGE_DATE_MAX_USEC;
}

static bool count_is_valid(GVariant *value) {
        return g_variant_get_uint32(value) <= IMAGE_ENTRIES_MAX;
}

int image_description_check(GVariant *untrusted, GVariantDict *dict, Error *ret_error) {
        static const struct {
                const char *key;
                const char *type;
                bool (*is_valid)(GVariant *value);
        } keys[] = {
                { "architecture", "s", architecture_is_valid },
                { "created", "t", date_is_valid },
                { "expires", "t", date_is_valid },
                { "properties", IMAGE_PROPERTIES_TYPE, properties_are_valid },
                { "templates", IMAGE_TEMPLATES_SIGNATURE, templates_are_valid },
                { "skipped-devices", "u", count_is_valid },
        };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                g_autoptr(GVariant) value =
                        g_variant_lookup_value(untrusted, keys[i].key,
                                               (const GVariantType *) keys[i].type);

                if (!value || !keys[i].is_valid(value))
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "Reading the image gave a wrong answer about its \"%s\", "
                                         "as a manipulated archive may cause", keys[i].key);
                g_variant_dict_insert_value(dict, keys[i].key, value);
        }
        return 0;
}
