/* SPDX-License-Identifier: Apache-2.0 */
#include "client/container-record.h"

#include <pwd.h>

#include "client/format.h"
#include "service/util/cleanup.h"

char *container_status(const Object *o) {
        return g_ascii_strup(object_get_string(o, "State"), -1);
}

const char *container_type(const Object *o) {
        return object_get_boolean(o, "Ephemeral") ? "CONTAINER (EPHEMERAL)" : "CONTAINER";
}

GPtrArray *container_addresses(const Object *o, const char *family) {
        g_autoptr(GVariant) addresses = object_get_value(o, "Addresses", "a(sssus)");
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                const char *interface, *kind, *address, *scope;

                g_variant_get_child(addresses, i, "(&s&s&su&s)", &interface, &kind, &address, NULL,
                                    &scope);
                if (g_str_equal(kind, family) && g_str_equal(scope, "global"))
                        g_ptr_array_add(lines, g_strdup_printf("%s (%s)", address, interface));
        }
        return lines;
}

char *container_owner(const Object *o) {
        uint64_t uid = object_get_number(o, "Owner");
        struct passwd *user = getpwuid((uid_t) uid);

        if (user)
                return g_strdup(user->pw_name);
        return g_strdup_printf("%" G_GUINT64_FORMAT, uid);
}

static GVariant *addresses_to_network(const Object *o) {
        g_autoptr(GVariant) addresses = object_get_value(o, "Addresses", "a(sssus)");
        g_autoptr(GHashTable) interfaces = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                                 NULL);
        GHashTableIter iter;
        GVariantBuilder b;
        gpointer name, list;

        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                const char *interface, *family, *address, *scope;
                g_autofree char *length = NULL;
                GVariantBuilder *entries;
                uint32_t prefix;

                g_variant_get_child(addresses, i, "(&s&s&su&s)", &interface, &family, &address,
                                    &prefix, &scope);
                entries = g_hash_table_lookup(interfaces, interface);
                if (!entries) {
                        entries = g_variant_builder_new(G_VARIANT_TYPE("aa{sv}"));
                        g_hash_table_insert(interfaces, g_strdup(interface), entries);
                }
                length = g_strdup_printf("%u", prefix);
                g_variant_builder_open(entries, G_VARIANT_TYPE_VARDICT);
                g_variant_builder_add(entries, "{sv}", "family", g_variant_new_string(family));
                g_variant_builder_add(entries, "{sv}", "address", g_variant_new_string(address));
                g_variant_builder_add(entries, "{sv}", "netmask", g_variant_new_string(length));
                g_variant_builder_add(entries, "{sv}", "scope", g_variant_new_string(scope));
                g_variant_builder_close(entries);
        }
        g_variant_builder_init(&b, G_VARIANT_TYPE("a{sa{saa{sv}}}"));
        g_hash_table_iter_init(&iter, interfaces);
        while (g_hash_table_iter_next(&iter, &name, &list)) {
                g_variant_builder_open(&b, G_VARIANT_TYPE("{sa{saa{sv}}}"));
                g_variant_builder_add(&b, "s", name);
                g_variant_builder_open(&b, G_VARIANT_TYPE("a{saa{sv}}"));
                g_variant_builder_add(&b, "{s@aa{sv}}", "addresses", g_variant_builder_end(list));
                g_variant_builder_close(&b);
                g_variant_builder_close(&b);
                g_variant_builder_unref(list);
        }
        return g_variant_builder_end(&b);
}

static void record_add(GVariantBuilder *b, const char *key, GVariant *value) {
        g_variant_builder_add(b, "{sv}", key, value);
}

static void record_add_string(GVariantBuilder *b, const char *key, const Object *o,
                              const char *property) {
        record_add(b, key, g_variant_new_string(object_get_string(o, property)));
}

static void record_add_time(GVariantBuilder *b, const char *key, const Object *o,
                            const char *property) {
        g_autofree char *text = format_time_rfc3339(object_get_number(o, property));

        record_add(b, key, g_variant_new_string(text));
}

GVariant *container_to_record(const Object *o) {
        g_autoptr(GVariant) profiles = object_get_value(o, "Profiles", "as");
        g_autofree char *status = g_strdup(object_get_string(o, "State"));
        GVariantBuilder b, state;

        /* LXD writes "Running" here and "RUNNING" in tables. */
        if (*status)
                *status = g_ascii_toupper(*status);

        g_variant_builder_init(&state, G_VARIANT_TYPE_VARDICT);
        record_add(&state, "status", g_variant_new_string(status));
        record_add(&state, "pid", g_variant_new_uint64(object_get_number(o, "InitPid")));
        record_add(&state, "network", addresses_to_network(o));

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add_string(&b, "name", o, "Name");
        record_add(&b, "status", g_variant_new_string(status));
        record_add(&b, "type", g_variant_new_string("container"));
        record_add_string(&b, "architecture", o, "Architecture");
        record_add_string(&b, "description", o, "Description");
        record_add(&b, "ephemeral", g_variant_new_boolean(object_get_boolean(o, "Ephemeral")));
        record_add(&b, "profiles", profiles ?: g_variant_new_strv(NULL, 0));
        record_add_time(&b, "created_at", o, "Created");
        record_add_time(&b, "last_used_at", o, "LastStarted");
        record_add_string(&b, "image", o, "Image");
        record_add_string(&b, "pool", o, "StoragePool");
        record_add(&b, "owner", g_variant_new_uint64(object_get_number(o, "Owner")));
        record_add(&b, "revision", g_variant_new_uint64(object_get_number(o, "Revision")));
        record_add(&b, "state", g_variant_builder_end(&state));
        return g_variant_builder_end(&b);
}
