/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/record.h"

#include <errno.h>

#include "service/model/image-template.h"

void record_put_object(GVariantDict *dict, const Object *o) {
        g_variant_dict_insert(dict, "owner", "u", (guint32) o->owner);
        g_variant_dict_insert(dict, "revision", "t", o->revision);
}

int record_get_object(GVariantDict *record, Object *o) {
        uint32_t owner;

        if (record_get_uint32(record, "owner", &owner) < 0 ||
            record_get_uint64(record, "revision", &o->revision) < 0)
                return -EBADMSG;
        o->owner = owner;
        return 0;
}

void record_put_privilege(GVariantDict *dict, Privilege granted) {
        g_variant_dict_insert(dict, "granted", "s", privilege_to_string(granted));
}

int record_get_privilege(GVariantDict *record, Privilege *value) {
        g_autoptr(GVariant) word = g_variant_dict_lookup_value(record, "granted", NULL);
        Privilege granted = PRIVILEGE_USE;

        if (word && !g_variant_is_of_type(word, G_VARIANT_TYPE_STRING))
                return -EBADMSG;
        if (word)
                granted = privilege_from_string(g_variant_get_string(word, NULL));
        if (granted == _PRIVILEGE_INVALID)
                return -EBADMSG;
        *value = granted;
        return 0;
}

int record_get_string(GVariantDict *record, const char *key, char **value) {
        const char *s;

        if (!g_variant_dict_lookup(record, key, "&s", &s))
                return -EBADMSG;
        g_free(*value);
        *value = g_strdup(s);
        return 0;
}

int record_get_variant(GVariantDict *record, const char *key, const GVariantType *type,
                       GVariant **value) {
        GVariant *v = g_variant_dict_lookup_value(record, key, type);

        if (!v)
                return -EBADMSG;
        g_clear_pointer(value, g_variant_unref);
        *value = v;
        return 0;
}

int record_get_templates(GVariantDict *record, GVariant **value) {
        g_autoptr(GVariant) recorded = g_variant_dict_lookup_value(record, "templates", NULL);
        GVariant *templates = recorded ? image_templates_upgrade(recorded) : NULL;

        if (!templates)
                return -EBADMSG;
        g_clear_pointer(value, g_variant_unref);
        *value = templates;
        return 0;
}

int record_get_strv(GVariantDict *record, const char *key, char ***value) {
        char **strv;

        if (!g_variant_dict_lookup(record, key, "^as", &strv))
                return -EBADMSG;
        g_strfreev(*value);
        *value = strv;
        return 0;
}

int record_get_uint64(GVariantDict *record, const char *key, uint64_t *value) {
        guint64 v;

        if (!g_variant_dict_lookup(record, key, "t", &v))
                return -EBADMSG;
        *value = v;
        return 0;
}

int record_get_uint32(GVariantDict *record, const char *key, uint32_t *value) {
        guint32 v;

        if (!g_variant_dict_lookup(record, key, "u", &v))
                return -EBADMSG;
        *value = v;
        return 0;
}

int record_get_boolean(GVariantDict *record, const char *key, bool *value) {
        gboolean v;

        if (!g_variant_dict_lookup(record, key, "b", &v))
                return -EBADMSG;
        *value = v;
        return 0;
}

int record_get_enum(GVariantDict *record, const char *key, const char *const *names, int n,
                    int *value) {
        const char *s;

        if (!g_variant_dict_lookup(record, key, "&s", &s))
                return -EBADMSG;
        for (int i = 0; i < n; i++)
                if (g_str_equal(names[i], s)) {
                        *value = i;
                        return 0;
                }
        return -EBADMSG;
}
