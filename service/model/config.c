/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"

#include <string.h>

/* Serialized at once: strings and children taken from it then point into its bytes, and stay good
 * for as long as it lives. */
static GVariant *finish(GVariant *floating) {
        GVariant *value = g_variant_ref_sink(floating);

        (void) g_variant_get_data(value);
        return value;
}

GVariant *config_empty(void) {
        return finish(g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0));
}

GVariant *devices_empty(void) {
        return finish(g_variant_new_array(G_VARIANT_TYPE("{sa{ss}}"), NULL, 0));
}

static int compare_strings(const void *a, const void *b, void *unused) {
        return strcmp(a, b);
}

static GTree *tree_new(GDestroyNotify free_value) {
        return g_tree_new_full(compare_strings, NULL, g_free, free_value);
}

static gboolean append_string(void *key, void *value, void *builder) {
        g_variant_builder_add(builder, "{ss}", key, value);
        return FALSE;
}

static gboolean append_variant(void *key, void *value, void *builder) {
        g_variant_builder_add(builder, "{s@a{ss}}", key, value);
        return FALSE;
}

static void tree_insert_config(GTree *tree, GVariant *config) {
        GVariantIter iter;
        const char *key, *value;

        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                g_tree_replace(tree, g_strdup(key), g_strdup(value));
}

GVariant *config_merge(GVariant *base, GVariant *set, GVariant *unset) {
        g_autoptr(GTree) tree = tree_new(g_free);
        GVariantBuilder builder;

        tree_insert_config(tree, base);
        if (unset) {
                GVariantIter iter;
                const char *key;

                g_variant_iter_init(&iter, unset);
                while (g_variant_iter_next(&iter, "&s", &key))
                        g_tree_remove(tree, key);
        }
        if (set)
                tree_insert_config(tree, set);

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_tree_foreach(tree, append_string, &builder);
        return finish(g_variant_builder_end(&builder));
}

static void tree_insert_devices(GTree *tree, GVariant *devices) {
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_tree_replace(tree, g_strdup(name), config_merge(options, NULL, NULL));
                g_variant_unref(options);
        }
}

GVariant *devices_merge(GVariant *base, GVariant *over) {
        g_autoptr(GTree) tree = tree_new((GDestroyNotify) g_variant_unref);
        GVariantBuilder builder;

        tree_insert_devices(tree, base);
        if (over)
                tree_insert_devices(tree, over);

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_tree_foreach(tree, append_variant, &builder);
        return finish(g_variant_builder_end(&builder));
}

/* What the service does most, so by hand: an iterator would make a value of each value, and read a
 * format string for each entry. */
const char *config_get(GVariant *config, const char *key) {
        gsize n = g_variant_n_children(config);

        for (gsize i = 0; i < n; i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(config, i);
                g_autoptr(GVariant) k = g_variant_get_child_value(entry, 0), v = NULL;

                if (!g_str_equal(g_variant_get_string(k, NULL), key))
                        continue;
                v = g_variant_get_child_value(entry, 1);
                return g_variant_get_string(v, NULL);
        }
        return NULL;
}

GVariant *devices_get(GVariant *devices, const char *name) {
        return g_variant_lookup_value(devices, name, CONFIG_TYPE);
}

int config_check_unique(GVariant *config, const char *what, Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (gsize i = 0; i < g_variant_n_children(config); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(config, i);
                g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
                const char *s = g_variant_get_string(key, NULL);

                /* The string lives in the serialized parent, which outlives this function. */
                if (!g_hash_table_add(seen, (char *) s))
                        return error_set(ret_error, ERROR_INVALID_ARGS, "%s \"%s\" is given twice",
                                         what, s);
        }
        return 0;
}
