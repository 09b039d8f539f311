/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/metadata.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"
#include "service/worker/image/yaml-document.h"

static void template_destroy(gpointer p) {
        ImageTemplate *template = p;

        g_free(template->path);
        g_free(template->file);
        g_ptr_array_unref(template->when);
        g_hash_table_unref(template->properties);
        g_free(template);
}

static GHashTable *properties_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static ImageTemplate *template_new(const char *path) {
        ImageTemplate *template = g_new(ImageTemplate, 1);

        *template = (ImageTemplate) {
                .path = g_strdup(path),
                .when = g_ptr_array_new_with_free_func(g_free),
                .properties = properties_new(),
        };
        return template;
}

ImageMetadata *image_metadata_new(void) {
        ImageMetadata *metadata = g_new(ImageMetadata, 1);

        *metadata = (ImageMetadata) {
                .properties = properties_new(),
                .templates = g_ptr_array_new_with_free_func(template_destroy),
        };
        return metadata;
}

ImageMetadata *image_metadata_free(ImageMetadata *metadata) {
        if (!metadata)
                return NULL;
        g_free(metadata->architecture);
        g_hash_table_unref(metadata->properties);
        g_ptr_array_unref(metadata->templates);
        g_free(metadata);
        return NULL;
}

/* --- metadata.yaml ----------------------------------------------------------------------- */

static int invalid(Error *ret_error, const char *key, const char *why) {
        g_autofree char *shown = text_for_message(key);

        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "metadata.yaml is not acceptable: \"%s\" %s", shown, why);
}

static bool node_is_null(const YamlNode *node) {
        return !node || (node->kind == YAML_SCALAR && !node->is_quoted &&
                         (g_str_equal(node->text, "") || g_str_equal(node->text, "~") ||
                          g_str_equal(node->text, "null")));
}

/* Seconds since 1970, to microseconds; 0 where the key is missing. */
static int parse_date(const YamlNode *root, const char *key, uint64_t *ret, Error *ret_error) {
        const YamlNode *node = yaml_node_get(root, key);
        guint64 seconds;

        if (node_is_null(node)) {
                *ret = 0;
                return 0;
        }
        if (node->kind != YAML_SCALAR ||
            !g_ascii_string_to_unsigned(node->text, 10, 0,
                                        IMAGE_DATE_MAX_USEC / G_TIME_SPAN_SECOND, &seconds,
                                        NULL))
                return invalid(ret_error, key, "is not a number of seconds since 1970");
        *ret = seconds * G_TIME_SPAN_SECOND;
        return 0;
}

static int parse_properties(const YamlNode *node, const char *owner, YamlText values,
                            GHashTable *properties, Error *ret_error) {
        if (node_is_null(node))
                return 0;
        if (node->kind != YAML_MAPPING)
                return invalid(ret_error, owner, "has properties that are not a map");

        for (size_t i = 0; i < node->keys->len; i++) {
                const char *key = node->keys->pdata[i];
                const YamlNode *value = node->items->pdata[i];

                if (key[0] == '\0' || value->kind != YAML_SCALAR)
                        return invalid(ret_error, owner,
                                       "has a property without a name or that is not text");
                if (values == YAML_TEXT_PRINTABLE && !text_is_printable(value->text))
                        return invalid(ret_error, owner,
                                       "has a property with control characters in it");
                g_hash_table_insert(properties, g_strdup(key),
                                    g_strdup(node_is_null(value) ? "" : value->text));
        }
        return 0;
}

static int parse_when(const YamlNode *node, ImageTemplate *template, Error *ret_error) {
        if (node_is_null(node))
                return 0;
        if (node->kind != YAML_SEQUENCE)
                return invalid(ret_error, template->path, "has a \"when\" that is not a list");

        for (size_t i = 0; i < node->items->len; i++) {
                const YamlNode *item = node->items->pdata[i];

                if (item->kind != YAML_SCALAR || !image_template_when_is_valid(item->text))
                        return invalid(ret_error, template->path,
                                       "has a \"when\" that is not a list of words");
                g_ptr_array_add(template->when, g_strdup(item->text));
        }
        return 0;
}

static int parse_template(const char *path, const YamlNode *node, GPtrArray *templates,
                          Error *ret_error) {
        const YamlNode *file, *create_only;
        ImageTemplate *template;
        int r;

        if (!image_template_path_is_valid(path))
                return invalid(ret_error, path, "is not an absolute path without \"..\"");
        if (node->kind != YAML_MAPPING)
                return invalid(ret_error, path, "is not described by a map");
        file = yaml_node_get(node, "template");
        if (!file || file->kind != YAML_SCALAR || !image_template_file_is_valid(file->text))
                return invalid(ret_error, path, "has no \"template\" that is a mere file name");

        template = template_new(path);
        g_ptr_array_add(templates, template);
        template->file = g_strdup(file->text);

        create_only = yaml_node_get(node, "create_only");
        if (!node_is_null(create_only)) {
                if (create_only->kind != YAML_SCALAR ||
                    (!g_str_equal(create_only->text, "true") &&
                     !g_str_equal(create_only->text, "false")))
                        return invalid(ret_error, path,
                                       "has a \"create_only\" that is not true or false");
                template->create_only = g_str_equal(create_only->text, "true");
        }
        r = parse_when(yaml_node_get(node, "when"), template, ret_error);
        /* What cloud-init is to do by default is a property, and of several lines. */
        if (r >= 0)
                r = parse_properties(yaml_node_get(node, "properties"), path, YAML_TEXT_ANY,
                                     template->properties, ret_error);
        return r;
}

static int parse_templates(const YamlNode *node, GPtrArray *templates, Error *ret_error) {
        if (node_is_null(node))
                return 0;
        if (node->kind != YAML_MAPPING)
                return invalid(ret_error, "templates", "is not a map");
        if (node->items->len > IMAGE_TEMPLATES_MAX)
                return invalid(ret_error, "templates", "has too many entries");

        for (size_t i = 0; i < node->items->len; i++) {
                int r = parse_template(node->keys->pdata[i], node->items->pdata[i], templates,
                                       ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

int image_metadata_parse(const char *data, size_t size, ImageMetadata **ret, Error *ret_error) {
        g_autoptr(ImageMetadata) metadata = image_metadata_new();
        g_autoptr(YamlNode) root = NULL;
        const YamlNode *architecture;
        int r;

        r = yaml_document_parse("metadata.yaml", data, size, YAML_TEXT_ANY, &root, ret_error);
        if (r < 0)
                return r;
        if (root->kind != YAML_MAPPING)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "metadata.yaml is not acceptable: it is not a map");

        architecture = yaml_node_get(root, "architecture");
        if (node_is_null(architecture) || architecture->kind != YAML_SCALAR)
                return invalid(ret_error, "architecture", "is missing");
        metadata->architecture = g_strdup(architecture_from_name(architecture->text));
        if (!metadata->architecture) {
                g_autofree char *shown = text_for_message(architecture->text);

                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "metadata.yaml is not acceptable: \"%s\" is no architecture that "
                                 "is known", shown);
        }
        r = parse_date(root, "creation_date", &metadata->created_usec, ret_error);
        if (r >= 0)
                r = parse_date(root, "expiry_date", &metadata->expires_usec, ret_error);
        if (r >= 0)
                r = parse_properties(yaml_node_get(root, "properties"), "properties",
                                     YAML_TEXT_PRINTABLE, metadata->properties, ret_error);
        if (r >= 0)
                r = parse_templates(yaml_node_get(root, "templates"), metadata->templates,
                                    ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(metadata);
        return 0;
}

/* --- os-release -------------------------------------------------------------------------- */

/* Undoes the shell's quoting as far as os-release(5) allows it; NULL where it is not closed. */
static char *unquote(const char *value) {
        g_autoptr(GString) out = g_string_new(NULL);
        char quote = '\0';

        if (*value == '"' || *value == '\'')
                quote = *value++;
        for (; *value && *value != quote; value++) {
                if (*value == '\\' && quote != '\'' && value[1])
                        value++;
                g_string_append_c(out, *value);
        }
        if (quote && *value != quote)
                return NULL;
        return g_string_free(g_steal_pointer(&out), FALSE);
}

ImageMetadata *image_metadata_from_os_release(const char *os_release, size_t size) {
        static const struct {
                const char *key;
                const char *properties[2];
        } keys[] = {
                { "ID=", { "os" } },
                { "VERSION_ID=", { "release" } },
                { "VERSION_CODENAME=", { "codename" } },
                { "PRETTY_NAME=", { "name", "description" } },
        };
        ImageMetadata *metadata = image_metadata_new();
        g_autofree char *text = g_strndup(os_release, size);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                g_strstrip(*line);
                for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                        g_autofree char *value = NULL;

                        if (!g_str_has_prefix(*line, keys[i].key))
                                continue;
                        value = unquote(*line + strlen(keys[i].key));
                        if (!value || !text_is_printable(value))
                                continue;
                        for (size_t k = 0; k < 2 && keys[i].properties[k]; k++)
                                g_hash_table_insert(metadata->properties,
                                                    g_strdup(keys[i].properties[k]),
                                                    g_strdup(value));
                }
        }
        return metadata;
}
