/* SPDX-License-Identifier: Apache-2.0 */
#include "client/json.h"

#include <json-c/json.h>

#include "client/variant.h"
#include "service/util/cleanup.h"

static struct json_object *json_new(GVariant *value);

static struct json_object *json_new_dictionary(GVariant *value) {
        struct json_object *object = json_object_new_object();
        g_autoptr(GPtrArray) entries = variant_entries(value);

        for (size_t i = 0; i < entries->len; i++) {
                GVariant *entry = g_ptr_array_index(entries, i);
                g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
                g_autoptr(GVariant) content = g_variant_get_child_value(entry, 1);
                g_autofree char *name = variant_to_text(key);

                json_object_object_add(object, name, json_new(content));
        }
        return object;
}

static struct json_object *json_new_array(GVariant *value) {
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                json_object_array_add(array, json_new(child));
        }
        return array;
}

static struct json_object *json_new(GVariant *value) {
        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_BOOLEAN:
                return json_object_new_boolean(g_variant_get_boolean(value));
        case G_VARIANT_CLASS_BYTE:
                return json_object_new_int64(g_variant_get_byte(value));
        case G_VARIANT_CLASS_INT16:
                return json_object_new_int64(g_variant_get_int16(value));
        case G_VARIANT_CLASS_UINT16:
                return json_object_new_int64(g_variant_get_uint16(value));
        case G_VARIANT_CLASS_INT32:
                return json_object_new_int64(g_variant_get_int32(value));
        case G_VARIANT_CLASS_UINT32:
                return json_object_new_int64(g_variant_get_uint32(value));
        case G_VARIANT_CLASS_INT64:
                return json_object_new_int64(g_variant_get_int64(value));
        case G_VARIANT_CLASS_UINT64:
                return json_object_new_uint64(g_variant_get_uint64(value));
        case G_VARIANT_CLASS_HANDLE:
                return json_object_new_int64(g_variant_get_handle(value));
        case G_VARIANT_CLASS_DOUBLE:
                return json_object_new_double(g_variant_get_double(value));
        case G_VARIANT_CLASS_STRING:
        case G_VARIANT_CLASS_OBJECT_PATH:
        case G_VARIANT_CLASS_SIGNATURE:
                return json_object_new_string(g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_VARIANT: {
                g_autoptr(GVariant) inner = g_variant_get_variant(value);

                return json_new(inner);
        }
        case G_VARIANT_CLASS_ARRAY:
                if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY))
                        return json_new_dictionary(value);
                return json_new_array(value);
        case G_VARIANT_CLASS_TUPLE:
                return g_variant_n_children(value) == 0 ? NULL : json_new_array(value);
        case G_VARIANT_CLASS_DICT_ENTRY:
        case G_VARIANT_CLASS_MAYBE:
                break;
        }
        return NULL;
}

/* json-c escapes control characters below 0x20 only. Others can be inside strings alone, where an
 * escape means the same. */
static char *json_escape_unprintable(const char *json) {
        g_autoptr(GString) s = g_string_new(NULL);

        for (const char *p = json; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (c == '\n' || g_unichar_isprint(c))
                        g_string_append_unichar(s, c);
                else if (c <= 0xffff)
                        g_string_append_printf(s, "\\u%04x", c);
                else
                        g_string_append_printf(s, "\\u%04x\\u%04x",
                                               0xd800 + ((c - 0x10000) >> 10),
                                               0xdc00 + ((c - 0x10000) & 0x3ff));
        }
        return g_string_free(g_steal_pointer(&s), FALSE);
}

char *json_from_variant(GVariant *value, bool pretty) {
        struct json_object *object = json_new(value);
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
        char *text;

        if (pretty)
                flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
        text = json_escape_unprintable(json_object_to_json_string_ext(object, flags));
        json_object_put(object);
        return text;
}
