/* SPDX-License-Identifier: Apache-2.0 */
#include "client/image-record.h"

#include <string.h>

#include "client/format.h"
#include "client/settings.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

GPtrArray *image_aliases(const Object *o) {
        g_autoptr(GVariant) value = object_get_value(o, "Aliases", "as");
        GPtrArray *aliases = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; value && i < g_variant_n_children(value); i++) {
                char *alias;

                g_variant_get_child(value, i, "s", &alias);
                g_ptr_array_add(aliases, alias);
        }
        format_sort(aliases);
        return aliases;
}

char *image_property(const Object *o, const char *key) {
        g_autoptr(GVariant) properties = object_get_value(o, "Properties", "a{ss}");
        const char *value = "";

        if (properties)
                (void) g_variant_lookup(properties, key, "&s", &value);
        return g_strdup(value);
}

static void record_add(GVariantBuilder *b, const char *key, GVariant *value) {
        g_variant_builder_add(b, "{sv}", key, value);
}

static void record_add_time(GVariantBuilder *b, const char *key, const Object *o,
                            const char *property) {
        g_autofree char *text = format_time_rfc3339(object_get_number(o, property));

        record_add(b, key, g_variant_new_string(text));
}

static GVariant *image_properties(const Object *o) {
        return object_get_value(o, "Properties", "a{ss}")
                       ?: variant_seal(g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0));
}

/* LXD lists aliases as mappings of name and description. */
static GVariant *aliases_to_records(const Object *o) {
        g_autoptr(GPtrArray) aliases = image_aliases(o);
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("aa{ss}"));
        for (size_t i = 0; i < aliases->len; i++) {
                g_variant_builder_open(&b, G_VARIANT_TYPE("a{ss}"));
                g_variant_builder_add(&b, "{ss}", "name", g_ptr_array_index(aliases, i));
                g_variant_builder_close(&b);
        }
        return g_variant_builder_end(&b);
}

static GVariant *update_source(const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "server", g_variant_new_string(object_get_string(o, "Server")));
        record_add(&b, "alias", g_variant_new_string(object_get_string(o, "ServerAlias")));
        return g_variant_builder_end(&b);
}

GVariant *image_to_record(const Object *o) {
        g_autoptr(GVariant) properties = image_properties(o);
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "fingerprint", g_variant_new_string(o->name));
        record_add(&b, "aliases", aliases_to_records(o));
        record_add(&b, "type", g_variant_new_string("container"));
        record_add(&b, "architecture",
                   g_variant_new_string(object_get_string(o, "Architecture")));
        record_add(&b, "size", g_variant_new_uint64(object_get_number(o, "Size")));
        record_add(&b, "filename", g_variant_new_string(object_get_string(o, "Filename")));
        record_add(&b, "public", g_variant_new_boolean(object_get_boolean(o, "Public")));
        record_add(&b, "properties", properties);
        record_add_time(&b, "created_at", o, "Created");
        record_add_time(&b, "uploaded_at", o, "Uploaded");
        record_add_time(&b, "expires_at", o, "Expires");
        record_add_time(&b, "last_used_at", o, "LastUsed");
        record_add(&b, "cached", g_variant_new_boolean(object_get_boolean(o, "Cached")));
        record_add(&b, "auto_update", g_variant_new_boolean(object_get_boolean(o, "AutoUpdate")));
        if (*object_get_string(o, "Server"))
                record_add(&b, "update_source", update_source(o));
        record_add(&b, "owner", g_variant_new_uint64(object_get_number(o, "Owner")));
        record_add(&b, "used_by", settings_used_by(o));
        return g_variant_builder_end(&b);
}

GVariant *image_to_editable(const Object *o) {
        g_autoptr(GVariant) properties = image_properties(o);
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "properties", properties);
        record_add(&b, "public", g_variant_new_boolean(object_get_boolean(o, "Public")));
        record_add(&b, "auto_update", g_variant_new_boolean(object_get_boolean(o, "AutoUpdate")));
        record_add_time(&b, "expires_at", o, "Expires");
        return g_variant_builder_end(&b);
}

bool image_parse_date(const char *text, uint64_t *ret) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = NULL;
        g_autofree char *whole = NULL;

        whole = strchr(text, 'T') ? g_strdup(text) : g_strconcat(text, "T00:00:00Z", NULL);
        time = g_date_time_new_from_iso8601(whole, utc);
        if (!time || (g_date_time_to_unix(time) <= 0 && g_date_time_get_year(time) != 1))
                return false;
        *ret = g_date_time_get_year(time) == 1
                       ? 0
                       : (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC +
                                 (uint64_t) g_date_time_get_microsecond(time);
        return true;
}
