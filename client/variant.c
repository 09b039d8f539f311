/* SPDX-License-Identifier: Apache-2.0 */
#include "client/variant.h"

#include "service/util/cleanup.h"

GVariant *variant_seal(GVariant *value) {
        GVariant *own = g_variant_ref_sink(value);

        (void) g_variant_get_data(own);
        return own;
}

static int entry_compare(gconstpointer a, gconstpointer b) {
        g_autoptr(GVariant) ka = g_variant_get_child_value(*(GVariant *const *) a, 0);
        g_autoptr(GVariant) kb = g_variant_get_child_value(*(GVariant *const *) b, 0);

        return g_variant_compare(ka, kb);
}

GPtrArray *variant_entries(GVariant *dictionary) {
        const GVariantType *entry = g_variant_type_element(g_variant_get_type(dictionary));
        GPtrArray *entries = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

        for (size_t i = 0; i < g_variant_n_children(dictionary); i++)
                g_ptr_array_add(entries, g_variant_get_child_value(dictionary, i));
        if (!g_variant_type_equal(g_variant_type_value(entry), G_VARIANT_TYPE_VARIANT))
                g_ptr_array_sort(entries, entry_compare);
        return entries;
}

char *variant_to_text(GVariant *value) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ||
            g_variant_is_of_type(value, G_VARIANT_TYPE_OBJECT_PATH) ||
            g_variant_is_of_type(value, G_VARIANT_TYPE_SIGNATURE))
                return g_variant_dup_string(value, NULL);
        return g_variant_print(value, FALSE);
}
