/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/options.h"

static const Option *option_find(const Option *table, const char *name) {
        for (const Option *o = table; o && o->name; o++)
                if (g_str_equal(o->name, name))
                        return o;
        return NULL;
}

int options_check(GVariant *options, const Option *table, Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GVariantIter iter;
        const char *name;
        GVariant *value;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
                g_autoptr(GVariant) owned = value;
                const Option *option = option_find(table, name);

                if (!option)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "There is no option \"%.64s\"", name);
                if (!g_variant_is_of_type(owned, (const GVariantType *) option->type))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Option \"%s\" is of type %s, not %.32s", name,
                                         option->type, g_variant_get_type_string(owned));
                if (!g_hash_table_add(seen, g_strdup(name)))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Option \"%s\" is given twice", name);
        }
        return 0;
}

bool option_get_boolean(GVariant *options, const char *name, bool fallback) {
        gboolean value;

        return g_variant_lookup(options, name, "b", &value) ? value : fallback;
}

uint64_t option_get_uint64(GVariant *options, const char *name, uint64_t fallback) {
        guint64 value;

        return g_variant_lookup(options, name, "t", &value) ? value : fallback;
}

uint32_t option_get_uint32(GVariant *options, const char *name, uint32_t fallback) {
        guint32 value;

        return g_variant_lookup(options, name, "u", &value) ? value : fallback;
}

const char *option_get_string(GVariant *options, const char *name, const char *fallback) {
        const char *value;

        return g_variant_lookup(options, name, "&s", &value) ? value : fallback;
}

GVariant *option_get_variant(GVariant *options, const char *name, const char *type) {
        return g_variant_lookup_value(options, name, (const GVariantType *) type);
}

const char **option_get_strv(GVariant *options, const char *name) {
        const char **value;

        return g_variant_lookup(options, name, "^a&s", &value) ? value : NULL;
}
