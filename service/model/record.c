/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/record.h"

#include <errno.h>

#include "service/model/image-template.h"

typedef struct Field {
        const char *key; /* in `fields` */
        GVariant *value;
} Field;

/* A hash table of two dozen fields would cost more than the looks into it. */
struct Record {
        GVariant *fields;
        gsize n;
        Field field[];
};

Record *record_open(GVariant *fields) {
        gsize n = g_variant_n_children(fields);
        Record *record = g_malloc(sizeof(Record) + n * sizeof(Field));

        record->fields = g_variant_ref(fields);
        record->n = n;
        (void) g_variant_get_data(fields); /* serialized from now on */
        for (gsize i = 0; i < n; i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(fields, i);
                g_autoptr(GVariant) value = g_variant_get_child_value(entry, 1);

                /* What a serialized entry begins with; as a value of its own it would cost as much
                 * as the other. */
                record->field[i].key = g_variant_get_data(entry);
                record->field[i].value = g_variant_get_variant(value);
        }
        return record;
}

void record_close(Record *record) {
        if (!record)
                return;

        for (gsize i = 0; i < record->n; i++)
                g_variant_unref(record->field[i].value);
        g_variant_unref(record->fields);
        g_free(record);
}

/* Borrowed; NULL where there is none. */
static GVariant *record_find(const Record *record, const char *key) {
        for (gsize i = 0; i < record->n; i++)
                if (g_str_equal(record->field[i].key, key))
                        return record->field[i].value;
        return NULL;
}

bool record_has(const Record *record, const char *key) {
        return record_find(record, key);
}

/* The same where it is of that type. */
static GVariant *record_find_typed(const Record *record, const char *key,
                                   const GVariantType *type) {
        GVariant *value = record_find(record, key);

        return value && g_variant_is_of_type(value, type) ? value : NULL;
}

void record_put_object(GVariantDict *dict, const Object *o) {
        g_variant_dict_insert(dict, "owner", "u", (guint32) o->owner);
        g_variant_dict_insert(dict, "revision", "t", o->revision);
}

int record_get_object(const Record *record, Object *o) {
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

int record_get_privilege(const Record *record, Privilege *value) {
        GVariant *word = record_find(record, "granted");
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

int record_get_string(const Record *record, const char *key, char **value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_STRING);

        if (!v)
                return -EBADMSG;
        g_free(*value);
        *value = g_variant_dup_string(v, NULL);
        return 0;
}

int record_get_variant(const Record *record, const char *key, const GVariantType *type,
                       GVariant **value) {
        GVariant *v = record_find_typed(record, key, type);

        if (!v)
                return -EBADMSG;
        g_clear_pointer(value, g_variant_unref);
        *value = g_variant_ref(v);
        return 0;
}

int record_get_templates(const Record *record, GVariant **value) {
        GVariant *recorded = record_find(record, "templates");
        GVariant *templates = recorded ? image_templates_upgrade(recorded) : NULL;

        if (!templates)
                return -EBADMSG;
        g_clear_pointer(value, g_variant_unref);
        *value = templates;
        return 0;
}

int record_get_strv(const Record *record, const char *key, char ***value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_STRING_ARRAY);

        if (!v)
                return -EBADMSG;
        g_strfreev(*value);
        *value = g_variant_dup_strv(v, NULL);
        return 0;
}

int record_get_uint64(const Record *record, const char *key, uint64_t *value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_UINT64);

        if (!v)
                return -EBADMSG;
        *value = g_variant_get_uint64(v);
        return 0;
}

int record_get_uint32(const Record *record, const char *key, uint32_t *value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_UINT32);

        if (!v)
                return -EBADMSG;
        *value = g_variant_get_uint32(v);
        return 0;
}

int record_get_boolean(const Record *record, const char *key, bool *value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_BOOLEAN);

        if (!v)
                return -EBADMSG;
        *value = g_variant_get_boolean(v);
        return 0;
}

int record_get_later(const Record *record, const char *key, bool *value) {
        if (record_has(record, key))
                return record_get_boolean(record, key, value);
        *value = false;
        return 0;
}

int record_get_enum(const Record *record, const char *key, const char *const *names, int n,
                    int *value) {
        GVariant *v = record_find_typed(record, key, G_VARIANT_TYPE_STRING);

        for (int i = 0; v && i < n; i++)
                if (g_str_equal(names[i], g_variant_get_string(v, NULL))) {
                        *value = i;
                        return 0;
                }
        return -EBADMSG;
}
