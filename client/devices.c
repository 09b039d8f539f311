/* SPDX-License-Identifier: Apache-2.0 */
#include "client/devices.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/format.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

GHashTable *device_from_variant(GVariant *options) {
        GHashTable *device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        GVariantIter iter;
        char *key, *value;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{ss}", &key, &value))
                g_hash_table_replace(device, key, value);
        return device;
}

GHashTable *devices_from_variant(GVariant *variant) {
        GHashTable *devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                    (GDestroyNotify) g_hash_table_unref);
        GVariantIter iter;
        GVariant *next;
        char *name;

        g_variant_iter_init(&iter, variant);
        while (g_variant_iter_next(&iter, "{s@a{ss}}", &name, &next)) {
                g_autoptr(GVariant) options = next;

                g_hash_table_replace(devices, name, device_from_variant(options));
        }
        return devices;
}

GVariant *devices_to_variant(GHashTable *devices) {
        GHashTableIter iter;
        GVariantBuilder b;
        gpointer name, device;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{sa{ss}}"));
        g_hash_table_iter_init(&iter, devices);
        while (g_hash_table_iter_next(&iter, &name, &device)) {
                GHashTableIter options;
                GVariantBuilder inner;
                gpointer key, value;

                g_variant_builder_init(&inner, G_VARIANT_TYPE("a{ss}"));
                g_hash_table_iter_init(&options, device);
                while (g_hash_table_iter_next(&options, &key, &value))
                        g_variant_builder_add(&inner, "{ss}", key, value);
                g_variant_builder_add(&b, "{s@a{ss}}", name, g_variant_builder_end(&inner));
        }
        return g_variant_builder_end(&b);
}

void device_set_options(GHashTable *device, GVariant *options) {
        GVariantIter iter;
        const char *key, *value;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (*value)
                        g_hash_table_replace(device, g_strdup(key), g_strdup(value));
                else
                        g_hash_table_remove(device, key);
        }
}

static int settings_of_argument(Client *c, ObjectKind kind, SettingsFlags flags, Settings **ret,
                                Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        return settings_read(c, kind, path, flags, ret, ret_error);
}

static int devices_write(Client *c, const Settings *s, GHashTable *devices, Error *ret_error) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "devices", devices_to_variant(devices));
        g_variant_builder_add(&b, "{sv}", "if-revision",
                              g_variant_new_uint64(object_get_number(s->object, "Revision")));
        return settings_update(c, s->object->kind, s->object->path, NULL, NULL,
                               g_variant_builder_end(&b), ret_error);
}

static int error_set_no_device(const Settings *s, const char *name, Error *ret_error) {
        return error_set(ret_error, ERROR_NO_SUCH_DEVICE, "%s '%s' has no device '%s'",
                         object_kind_to_noun(s->object->kind), s->object->name, name);
}

/* A copy of the device that a container's profiles give it. */
static int device_from_profiles(Client *c, const Settings *s, const char *name, GHashTable **ret,
                                Error *ret_error) {
        g_autoptr(Settings) expanded = NULL;
        g_autoptr(GVariant) device = NULL;
        int r;

        if (s->object->kind != OBJECT_CONTAINER)
                return error_set_no_device(s, name, ret_error);
        r = settings_read(c, OBJECT_CONTAINER, s->object->path, SETTINGS_EXPANDED, &expanded,
                          ret_error);
        if (r < 0)
                return r;
        device = g_variant_lookup_value(expanded->devices, name, G_VARIANT_TYPE("a{ss}"));
        if (!device)
                return error_set_no_device(s, name, ret_error);
        *ret = device_from_variant(device);
        return 0;
}

int devices_run_add(Client *c, ObjectKind kind, Error *ret_error) {
        const char *name = client_argument(c, 1);
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(GVariant) options = NULL;
        g_autoptr(Settings) s = NULL;
        GHashTable *device;
        int r;

        r = settings_parse_assignments(c, 3, &options, ret_error);
        if (r < 0)
                return r;
        r = settings_of_argument(c, kind, 0, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        if (g_hash_table_contains(devices, name))
                return error_set(ret_error, ERROR_EXISTS, "%s '%s' has a device '%s' already",
                                 object_kind_to_noun(kind), s->object->name, name);
        device = device_from_variant(options);
        g_hash_table_replace(device, g_strdup("type"), g_strdup(client_argument(c, 2)));
        g_hash_table_replace(devices, g_strdup(name), device);
        r = devices_write(c, s, devices, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Device %s added to %s", name, s->object->name);
        return 0;
}

int devices_run_remove(Client *c, ObjectKind kind, Error *ret_error) {
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(Settings) s = NULL;
        int r;

        r = settings_of_argument(c, kind, 0, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        for (size_t i = 1; i < client_n_arguments(c); i++) {
                g_autoptr(GHashTable) inherited = NULL;
                const char *name = client_argument(c, i);

                if (g_hash_table_remove(devices, name))
                        continue;
                r = device_from_profiles(c, s, name, &inherited, ret_error);
                if (r < 0)
                        return r;
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device '%s' comes from a profile of '%s'; to hide it, add a "
                                 "device of that name with type 'none'",
                                 name, s->object->name);
        }
        r = devices_write(c, s, devices, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 1; i < client_n_arguments(c); i++)
                client_say(c, "Device %s removed from %s", client_argument(c, i), s->object->name);
        return 0;
}

/* Changes options of a device. One that comes from a profile is first copied to the container,
 * which is what everybody who tries this wants. */
static int device_change(Client *c, ObjectKind kind, GVariant *options, Error *ret_error) {
        const char *name = client_argument(c, 1);
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(Settings) s = NULL;
        GHashTable *device;
        int r;

        r = settings_of_argument(c, kind, 0, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        device = g_hash_table_lookup(devices, name);
        if (!device) {
                r = device_from_profiles(c, s, name, &device, ret_error);
                if (r < 0)
                        return r;
                g_hash_table_replace(devices, g_strdup(name), device);
        }
        device_set_options(device, options);
        return devices_write(c, s, devices, ret_error);
}

int devices_run_set(Client *c, ObjectKind kind, Error *ret_error) {
        g_autoptr(GVariant) options = NULL;
        int r;

        r = settings_parse_assignments(c, 2, &options, ret_error);
        if (r < 0)
                return r;
        return device_change(c, kind, options, ret_error);
}

int devices_run_unset(Client *c, ObjectKind kind, Error *ret_error) {
        g_autoptr(GVariant) options = NULL;
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&b, "{ss}", client_argument(c, 2), "");
        options = variant_seal(g_variant_builder_end(&b));
        return device_change(c, kind, options, ret_error);
}

int devices_run_override(Client *c, ObjectKind kind, Error *ret_error) {
        const char *name = client_argument(c, 1);
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(GVariant) options = NULL;
        g_autoptr(Settings) s = NULL;
        GHashTable *device;
        int r;

        r = settings_parse_assignments(c, 2, &options, ret_error);
        if (r < 0)
                return r;
        r = settings_of_argument(c, kind, 0, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        if (g_hash_table_contains(devices, name))
                return error_set(ret_error, ERROR_EXISTS,
                                 "Device '%s' of '%s' is overridden already", name,
                                 s->object->name);
        r = device_from_profiles(c, s, name, &device, ret_error);
        if (r < 0)
                return r;
        g_hash_table_replace(devices, g_strdup(name), device);
        device_set_options(device, options);
        r = devices_write(c, s, devices, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Device %s overridden for %s", name, s->object->name);
        return 0;
}

int devices_run_get(Client *c, ObjectKind kind, Error *ret_error) {
        const char *name = client_argument(c, 1), *value = "";
        g_autoptr(GVariant) device = NULL;
        g_autofree char *shown = NULL;
        g_autoptr(Settings) s = NULL;
        int r;

        r = settings_of_argument(c, kind, SETTINGS_EXPANDED, &s, ret_error);
        if (r < 0)
                return r;
        device = g_variant_lookup_value(s->devices, name, G_VARIANT_TYPE("a{ss}"));
        if (!device)
                return error_set_no_device(s, name, ret_error);
        (void) g_variant_lookup(device, client_argument(c, 2), "&s", &value);
        shown = isatty(STDOUT_FILENO) ? format_printable_lines(value) : NULL;
        puts(shown ?: value);
        return 0;
}

int devices_run_list(Client *c, ObjectKind kind, Error *ret_error) {
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(Settings) s = NULL;
        g_autoptr(GList) names = NULL;
        int r;

        r = settings_of_argument(c, kind, 0, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        names = g_list_sort(g_hash_table_get_keys(devices), (GCompareFunc) strcmp);
        for (GList *l = names; l; l = l->next) {
                g_autofree char *shown = format_printable(l->data);

                puts(shown);
        }
        return 0;
}

int devices_run_show(Client *c, ObjectKind kind, Error *ret_error) {
        SettingsFlags flags = client_flag(c, "expanded") ? SETTINGS_EXPANDED : 0;
        g_autoptr(Settings) s = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        r = settings_of_argument(c, kind, flags, &s, ret_error);
        if (r < 0)
                return r;
        return record_print(s->devices, format, ret_error);
}
