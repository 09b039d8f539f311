/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/image-template.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

#define WHEN_LENGTH_MAX 32
/* Before texts had names. */
#define TEMPLATES_OLD_TYPE ((const GVariantType *) "a(ssasa{ss}b)")

typedef struct Entry {
        const char *path, *file, *content;
        GVariant *when, *properties; /* owned */
        gboolean create_only;
} Entry;

static void entry_clear(Entry *e) {
        g_clear_pointer(&e->when, g_variant_unref);
        g_clear_pointer(&e->properties, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Entry, entry_clear)

static void entry_read(GVariant *templates, size_t i, Entry *ret) {
        g_variant_get_child(templates, i, "(&s&s&s@as@a{ss}b)", &ret->path, &ret->file,
                            &ret->content, &ret->when, &ret->properties, &ret->create_only);
}

static void entry_write(GVariantBuilder *builder, const Entry *e) {
        g_variant_builder_add(builder, "(sss@as@a{ss}b)", e->path, e->file, e->content, e->when,
                              e->properties, e->create_only);
}

static void text_write(GVariantBuilder *builder, const char *file, const char *content) {
        g_variant_builder_add(builder, "(sssasa{ss}b)", "", file, content, NULL, NULL, FALSE);
}

/* --- what may be --- */

static bool is_line(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;
        for (const char *p = text; *p; p = g_utf8_next_char(p))
                if (g_unichar_iscntrl(g_utf8_get_char(p)))
                        return false;
        return true;
}

bool image_template_path_is_valid(const char *path) {
        g_auto(GStrv) components = NULL;

        if (path[0] != '/' || strlen(path) > IMAGE_TEMPLATE_PATH_MAX || !is_line(path))
                return false;
        components = g_strsplit(path + 1, "/", -1);
        if (!components[0])
                return false;
        for (char **c = components; *c; c++)
                if (!path_is_component(*c))
                        return false;
        return true;
}

bool image_template_file_is_valid(const char *name) {
        return path_is_component(name) && is_line(name);
}

bool image_template_when_is_valid(const char *word) {
        size_t n = strlen(word);

        return n > 0 && n <= WHEN_LENGTH_MAX && strspn(word, "abcdefghijklmnopqrstuvwxyz-") == n;
}

/* --- lists --- */

GVariant *image_templates_empty(void) {
        return g_variant_ref_sink(
                g_variant_new_array(g_variant_type_element(IMAGE_TEMPLATES_TYPE), NULL, 0));
}

GVariant *image_templates_upgrade(GVariant *recorded) {
        GVariantBuilder builder;

        if (g_variant_is_of_type(recorded, IMAGE_TEMPLATES_TYPE))
                return g_variant_ref(recorded);
        if (!g_variant_is_of_type(recorded, TEMPLATES_OLD_TYPE))
                return NULL;
        g_variant_builder_init(&builder, IMAGE_TEMPLATES_TYPE);
        for (size_t i = 0; i < g_variant_n_children(recorded); i++) {
                g_autofree char *file = g_strdup_printf("template%zu.tpl", i);
                g_auto(Entry) e = { .file = file };

                g_variant_get_child(recorded, i, "(&s&s@as@a{ss}b)", &e.path, &e.content, &e.when,
                                    &e.properties, &e.create_only);
                entry_write(&builder, &e);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

GVariant *image_templates_get_files(GVariant *templates) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GList) files = NULL;
        GVariantBuilder builder;

        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_auto(Entry) e = { 0 };

                entry_read(templates, i, &e);
                g_hash_table_add(seen, (gpointer) e.file);
        }
        files = g_list_sort(g_hash_table_get_keys(seen), (GCompareFunc) strcmp);
        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (GList *l = files; l; l = l->next)
                g_variant_builder_add(&builder, "s", l->data);
        return g_variant_builder_end(&builder);
}

const char *image_templates_get(GVariant *templates, const char *file) {
        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_auto(Entry) e = { 0 };

                entry_read(templates, i, &e);
                if (g_str_equal(e.file, file))
                        return e.content;
        }
        return NULL;
}

static int check_bounds(GVariant *templates, Error *ret_error) {
        if (g_variant_n_children(templates) > IMAGE_TEMPLATES_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "There may be %u templates and no more", IMAGE_TEMPLATES_MAX);
        if (g_variant_get_size(templates) > IMAGE_DESCRIPTION_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "All templates together may have %u bytes and no more",
                                 IMAGE_DESCRIPTION_MAX);
        return 0;
}

int image_templates_set(GVariant *templates, const char *file, const char *content,
                        GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) result = NULL;
        GVariantBuilder builder;
        bool found = false;
        int r;

        if (!image_template_file_is_valid(file))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "A template has a mere file name, without \"/\"");
        if (strlen(content) > IMAGE_TEMPLATE_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "A template may have %u bytes and no more", IMAGE_TEMPLATE_MAX);
        g_variant_builder_init(&builder, IMAGE_TEMPLATES_TYPE);
        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_auto(Entry) e = { 0 };

                entry_read(templates, i, &e);
                if (g_str_equal(e.file, file)) {
                        e.content = content;
                        found = true;
                }
                entry_write(&builder, &e);
        }
        if (!found)
                text_write(&builder, file, content);
        result = g_variant_ref_sink(g_variant_builder_end(&builder));
        r = check_bounds(result, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(result);
        return 0;
}

GVariant *image_templates_remove(GVariant *templates, const char *file) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, IMAGE_TEMPLATES_TYPE);
        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_auto(Entry) e = { 0 };

                entry_read(templates, i, &e);
                if (!g_str_equal(e.file, file))
                        entry_write(&builder, &e);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* --- what is made from them --- */

GVariant *image_templates_get_rules(GVariant *templates) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, IMAGE_TEMPLATE_RULES_TYPE);
        for (size_t i = 0; i < g_variant_n_children(templates); i++) {
                g_auto(Entry) e = { 0 };

                entry_read(templates, i, &e);
                if (*e.path)
                        g_variant_builder_add(&builder, "{s(s@as@a{ss}b)}", e.path, e.file, e.when,
                                              e.properties, e.create_only);
        }
        return g_variant_builder_end(&builder);
}

static int rule_check(const Entry *e, GHashTable *paths, Error *ret_error) {
        g_autofree const char **when = g_variant_get_strv(e->when, NULL);

        if (!image_template_path_is_valid(e->path))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is not an absolute path without \"..\"", e->path);
        if (!g_hash_table_add(paths, (gpointer) e->path))
                return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" is there twice",
                                 e->path);
        if (!e->content)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "\"%s\" is to be made from the template \"%s\", which there is "
                                 "not; create it first", e->path, e->file);
        for (const char **word = when; *word; word++)
                if (!image_template_when_is_valid(*word))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" is to be made at \"%s\", which is no word such "
                                         "as \"start\", \"create\" or \"copy\"", e->path, *word);
        return 0;
}

int image_templates_set_rules(GVariant *templates, GVariant *rules, GVariant **ret,
                              Error *ret_error) {
        g_autoptr(GVariant) files = g_variant_ref_sink(image_templates_get_files(templates));
        g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GHashTable) used = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GVariant) result = NULL;
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(IMAGE_TEMPLATES_TYPE);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < g_variant_n_children(rules); i++) {
                g_auto(Entry) e = { 0 };

                g_variant_get_child(rules, i, "{&s(&s@as@a{ss}b)}", &e.path, &e.file, &e.when,
                                    &e.properties, &e.create_only);
                e.content = image_templates_get(templates, e.file);
                r = rule_check(&e, paths, ret_error);
                if (r >= 0) {
                        entry_write(&builder, &e);
                        g_hash_table_add(used, (gpointer) e.file);
                }
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < g_variant_n_children(files); i++) {
                const char *file;

                g_variant_get_child(files, i, "&s", &file);
                if (!g_hash_table_contains(used, file))
                        text_write(&builder, file, image_templates_get(templates, file));
        }
        result = g_variant_ref_sink(g_variant_builder_end(&builder));
        r = check_bounds(result, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(result);
        return 0;
}
