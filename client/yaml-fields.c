/* SPDX-License-Identifier: Apache-2.0 */
#include "client/format.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

/* Returns NULL when the key is not there. */
static GVariant *mapping_lookup(GVariant *mapping, const char *key) {
        if (!g_variant_is_of_type(mapping, G_VARIANT_TYPE_VARDICT))
                return NULL;
        return g_variant_lookup_value(mapping, key, NULL);
}

static bool variant_is_null(GVariant *value) {
        return g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT);
}

static int field_error(const char *key, const char *wanted, Error *ret_error) {
        g_autofree char *shown = format_printable(key);

        return error_set(ret_error, ERROR_INVALID_ARGS, "The value of '%s' has to be %s", shown,
                         wanted);
}

int yaml_get_string(GVariant *mapping, const char *key, char **ret, Error *ret_error) {
        g_autoptr(GVariant) value = mapping_lookup(mapping, key);

        if (!value)
                return 0;
        if (variant_is_null(value))
                *ret = g_strdup("");
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
                *ret = g_variant_dup_string(value, NULL);
        else
                return field_error(key, "a text", ret_error);
        return 1;
}

int yaml_get_boolean(GVariant *mapping, const char *key, bool *ret, Error *ret_error) {
        g_autoptr(GVariant) value = mapping_lookup(mapping, key);

        if (!value || variant_is_null(value))
                return 0;
        if (!g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ||
            parse_boolean(g_variant_get_string(value, NULL), ret) < 0)
                return field_error(key, "true or false", ret_error);
        return 1;
}

int yaml_get_strings(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) value = mapping_lookup(mapping, key);
        g_auto(GVariantBuilder) builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        if (!value)
                return 0;
        if (!variant_is_null(value) && !g_variant_is_of_type(value, G_VARIANT_TYPE("av")))
                return field_error(key, "a list", ret_error);
        for (size_t i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) boxed = g_variant_get_child_value(value, i);
                g_autoptr(GVariant) child = g_variant_get_variant(boxed);

                if (!g_variant_is_of_type(child, G_VARIANT_TYPE_STRING))
                        return field_error(key, "a list of texts", ret_error);
                g_variant_builder_add_value(&builder, child);
        }
        *ret = variant_seal(g_variant_builder_end(&builder));
        return 1;
}

static int config_from_value(const char *key, GVariant *value, GVariant **ret, Error *ret_error) {
        g_auto(GVariantBuilder) builder;
        GVariantIter iter;
        const char *name;
        GVariant *next;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a{ss}"));
        if (!variant_is_null(value) && !g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
                return field_error(key, "a mapping", ret_error);
        if (!variant_is_null(value)) {
                g_variant_iter_init(&iter, value);
                while (g_variant_iter_next(&iter, "{&sv}", &name, &next)) {
                        g_autoptr(GVariant) child = next;

                        if (variant_is_null(child))
                                g_variant_builder_add(&builder, "{ss}", name, "");
                        else if (g_variant_is_of_type(child, G_VARIANT_TYPE_STRING))
                                g_variant_builder_add(&builder, "{ss}", name,
                                                      g_variant_get_string(child, NULL));
                        else
                                return field_error(name, "a text", ret_error);
                }
        }
        *ret = variant_seal(g_variant_builder_end(&builder));
        return 1;
}

int yaml_get_config(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) value = mapping_lookup(mapping, key);

        return value ? config_from_value(key, value, ret, ret_error) : 0;
}

int yaml_get_devices(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) value = mapping_lookup(mapping, key);
        g_auto(GVariantBuilder) builder;
        GVariantIter iter;
        const char *name;
        GVariant *next;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sa{ss}}"));
        if (!value)
                return 0;
        if (!variant_is_null(value) && !g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
                return field_error(key, "a mapping", ret_error);
        if (!variant_is_null(value)) {
                g_variant_iter_init(&iter, value);
                while (g_variant_iter_next(&iter, "{&sv}", &name, &next)) {
                        g_autoptr(GVariant) child = next, device = NULL;
                        int r = config_from_value(name, child, &device, ret_error);

                        if (r < 0)
                                return r;
                        g_variant_builder_add(&builder, "{s@a{ss}}", name, device);
                }
        }
        *ret = variant_seal(g_variant_builder_end(&builder));
        return 1;
}

int yaml_check_keys(GVariant *mapping, const char *const *keys, Error *ret_error) {
        GVariantIter iter;
        const char *name;

        if (variant_is_null(mapping))
                return 0;
        if (!g_variant_is_of_type(mapping, G_VARIANT_TYPE_VARDICT))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The YAML has to be a mapping");
        g_variant_iter_init(&iter, mapping);
        while (g_variant_iter_next(&iter, "{&sv}", &name, NULL)) {
                g_autofree char *shown = NULL;

                if (g_strv_contains(keys, name))
                        continue;
                shown = format_printable(name);
                return error_set(ret_error, ERROR_INVALID_ARGS, "The YAML has the unknown key '%s'",
                                 shown);
        }
        return 0;
}
