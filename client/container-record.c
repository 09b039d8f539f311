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

/* --- state --- */

/* The addresses of one interface, aa{sv}. */
static GVariant *addresses_to_records(const Object *o, const char *wanted) {
        g_autoptr(GVariant) addresses = object_get_value(o, "Addresses", "a(sssus)");
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                const char *interface, *family, *address, *scope;
                g_autofree char *length = NULL;
                uint32_t prefix;

                g_variant_get_child(addresses, i, "(&s&s&su&s)", &interface, &family, &address,
                                    &prefix, &scope);
                if (!g_str_equal(interface, wanted))
                        continue;
                length = g_strdup_printf("%u", prefix);
                g_variant_builder_open(&b, G_VARIANT_TYPE_VARDICT);
                record_add(&b, "family", g_variant_new_string(family));
                record_add(&b, "address", g_variant_new_string(address));
                record_add(&b, "netmask", g_variant_new_string(length));
                record_add(&b, "scope", g_variant_new_string(scope));
                g_variant_builder_close(&b);
        }
        return g_variant_builder_end(&b);
}

/* "bytes-received" is "bytes_received" in LXD. */
static GVariant *counters_to_record(GVariant *counters) {
        GVariantBuilder b;
        GVariantIter iter;
        const char *key;
        guint64 value;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_iter_init(&iter, counters);
        while (g_variant_iter_next(&iter, "{&st}", &key, &value)) {
                g_autofree char *name = g_strdelimit(g_strdup(key), "-", '_');

                record_add(&b, name, g_variant_new_uint64(value));
        }
        return g_variant_builder_end(&b);
}

static GVariant *network_of(const ContainerDetails *d) {
        GVariant *state = d->answers[DETAIL_STATE];

        return state ? g_variant_lookup_value(state, "network", G_VARIANT_TYPE("a{sa{st}}")) : NULL;
}

GVariant *container_interface(const ContainerDetails *d, const char *interface) {
        GVariant *state = d->answers[DETAIL_STATE];
        g_autoptr(GVariant) all = NULL;

        if (state)
                all = g_variant_lookup_value(state, "interfaces", G_VARIANT_TYPE("a{sa{sv}}"));
        return all ? g_variant_lookup_value(all, interface, G_VARIANT_TYPE_VARDICT) : NULL;
}

GPtrArray *container_interfaces(const ContainerDetails *d) {
        g_autoptr(GVariant) addresses = object_get_value(d->container, "Addresses", "a(sssus)");
        g_autoptr(GVariant) network = network_of(d);
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; network && i < g_variant_n_children(network); i++) {
                char *name;

                g_variant_get_child(network, i, "{s@a{st}}", &name, NULL);
                g_ptr_array_add(names, name);
        }
        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                char *name;

                g_variant_get_child(addresses, i, "(sssus)", &name, NULL, NULL, NULL, NULL);
                if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                        g_free(name);
                else
                        g_ptr_array_add(names, name);
        }
        format_sort(names);
        return names;
}

GVariant *container_counters(const ContainerDetails *d, const char *interface) {
        g_autoptr(GVariant) network = network_of(d);

        return network ? g_variant_lookup_value(network, interface, G_VARIANT_TYPE("a{st}"))
                       : NULL;
}

/* "host-name" is "host_name" in LXD. */
static void add_interface(GVariantBuilder *b, GVariant *interface) {
        GVariantIter iter;
        const char *key;
        GVariant *value;

        g_variant_iter_init(&iter, interface);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
                g_autofree char *name = g_strdelimit(g_strdup(key), "-", '_');

                record_add(b, name, value);
                g_variant_unref(value);
        }
}

static GVariant *network_to_record(const ContainerDetails *d) {
        g_autoptr(GPtrArray) interfaces = container_interfaces(d);
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{sa{sv}}"));
        for (size_t i = 0; i < interfaces->len; i++) {
                const char *name = g_ptr_array_index(interfaces, i);
                g_autoptr(GVariant) counters = container_counters(d, name);
                g_autoptr(GVariant) interface = container_interface(d, name);

                g_variant_builder_open(&b, G_VARIANT_TYPE("{sa{sv}}"));
                g_variant_builder_add(&b, "s", name);
                g_variant_builder_open(&b, G_VARIANT_TYPE_VARDICT);
                record_add(&b, "addresses", addresses_to_records(d->container, name));
                if (counters)
                        record_add(&b, "counters", counters_to_record(counters));
                if (interface)
                        add_interface(&b, interface);
                g_variant_builder_close(&b);
                g_variant_builder_close(&b);
        }
        return g_variant_builder_end(&b);
}

static void add_number(GVariantBuilder *b, const char *name, const ContainerDetails *d,
                       Detail detail, const char *key, uint64_t factor) {
        uint64_t value;

        if (container_details_number(d, detail, key, &value))
                record_add(b, name, g_variant_new_uint64(value * factor));
}

/* What was not asked, or is not counted, is left out. */
static GVariant *state_to_record(const ContainerDetails *d, const char *status) {
        GVariantBuilder b, part, disk;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "status", g_variant_new_string(status));
        record_add(&b, "pid", g_variant_new_uint64(object_get_number(d->container, "InitPid")));
        add_number(&b, "processes", d, DETAIL_STATE, "processes", 1);

        g_variant_builder_init(&part, G_VARIANT_TYPE_VARDICT);
        add_number(&part, "usage", d, DETAIL_STATE, "cpu-usage", 1000); /* nanoseconds */
        record_add(&b, "cpu", g_variant_builder_end(&part));

        g_variant_builder_init(&part, G_VARIANT_TYPE_VARDICT);
        add_number(&part, "usage", d, DETAIL_STATE, "memory-current", 1);
        add_number(&part, "usage_peak", d, DETAIL_STATE, "memory-peak", 1);
        add_number(&part, "total", d, DETAIL_STATE, "memory-limit", 1);
        add_number(&part, "swap_usage", d, DETAIL_STATE, "swap-current", 1);
        record_add(&b, "memory", g_variant_builder_end(&part));

        g_variant_builder_init(&part, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_init(&disk, G_VARIANT_TYPE_VARDICT);
        add_number(&disk, "usage", d, DETAIL_DISK, "used", 1);
        add_number(&disk, "total", d, DETAIL_DISK, "size", 1);
        record_add(&part, "root", g_variant_builder_end(&disk));
        record_add(&b, "disk", g_variant_builder_end(&part));

        record_add(&b, "network", network_to_record(d));
        return g_variant_builder_end(&b);
}

/* --- all of it --- */

static void add_settings(GVariantBuilder *b, const ContainerDetails *d) {
        static const struct {
                const char *name;
                Detail detail;
        } settings[] = {
                { "config", DETAIL_CONFIG },
                { "devices", DETAIL_DEVICES },
                { "expanded_config", DETAIL_EXPANDED_CONFIG },
                { "expanded_devices", DETAIL_EXPANDED_DEVICES },
        };

        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                if (d->answers[settings[i].detail])
                        record_add(b, settings[i].name, d->answers[settings[i].detail]);
}

GVariant *container_to_record(const ContainerDetails *d, GVariant *snapshots) {
        const Object *o = d->container;
        g_autoptr(GVariant) profiles = object_get_value(o, "Profiles", "as");
        g_autofree char *status = g_strdup(object_get_string(o, "State"));
        GVariantBuilder b;

        /* LXD writes "Running" here and "RUNNING" in tables. */
        if (*status)
                *status = g_ascii_toupper(*status);

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add_string(&b, "name", o, "Name");
        record_add(&b, "status", g_variant_new_string(status));
        record_add(&b, "type", g_variant_new_string("container"));
        record_add_string(&b, "architecture", o, "Architecture");
        record_add_string(&b, "description", o, "Description");
        record_add(&b, "ephemeral", g_variant_new_boolean(object_get_boolean(o, "Ephemeral")));
        record_add(&b, "stateful", g_variant_new_boolean(object_get_boolean(o, "Stateful")));
        record_add(&b, "profiles", profiles ?: g_variant_new_strv(NULL, 0));
        add_settings(&b, d);
        record_add_time(&b, "created_at", o, "Created");
        record_add_time(&b, "last_used_at", o, "LastStarted");
        record_add_string(&b, "image", o, "Image");
        record_add_string(&b, "pool", o, "StoragePool");
        record_add(&b, "owner", g_variant_new_uint64(object_get_number(o, "Owner")));
        record_add(&b, "revision", g_variant_new_uint64(object_get_number(o, "Revision")));
        record_add(&b, "location", g_variant_new_string("none"));
        record_add(&b, "project", g_variant_new_string("default"));
        record_add(&b, "state", state_to_record(d, status));
        record_add(&b, "snapshots", snapshots);
        return g_variant_builder_end(&b);
}
