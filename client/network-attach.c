/* SPDX-License-Identifier: Apache-2.0 */
#include "client/network-attach.h"

#include "client/devices.h"
#include "client/settings.h"
#include "service/util/cleanup.h"

static int read_settings(Client *c, ObjectKind kind, Settings **ret, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = client_object_path(kind, client_argument(c, 1), &path, ret_error);
        if (r < 0)
                return r;
        return settings_read(c, kind, path, 0, ret, ret_error);
}

static int write_devices(Client *c, const Settings *s, GHashTable *devices, Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert_value(&options, "devices", devices_to_variant(devices));
        g_variant_dict_insert(&options, "if-revision", "t",
                              object_get_number(s->object, "Revision"));
        return settings_update(c, s->object->kind, s->object->path, NULL, NULL,
                               g_variant_dict_end(&options), ret_error);
}

int network_run_attach(Client *c, ObjectKind kind, Error *ret_error) {
        const char *interface = client_argument(c, 3);
        g_autoptr(GHashTable) devices = NULL;
        g_autoptr(Settings) s = NULL;
        g_autofree char *network = NULL;
        const char *name;
        GHashTable *device;
        int r;

        r = client_object_name(client_argument(c, 0), &network, ret_error);
        if (r >= 0)
                r = read_settings(c, kind, &s, ret_error);
        if (r < 0)
                return r;
        name = client_argument(c, 2) ?: network;
        devices = devices_from_variant(s->devices);
        if (g_hash_table_contains(devices, name))
                return error_set(ret_error, ERROR_EXISTS, "%s '%s' has a device '%s' already",
                                 object_kind_to_noun(kind), s->object->name, name);
        device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_hash_table_replace(device, g_strdup("type"), g_strdup("nic"));
        g_hash_table_replace(device, g_strdup("network"), g_strdup(network));
        if (interface)
                g_hash_table_replace(device, g_strdup("name"), g_strdup(interface));
        g_hash_table_replace(devices, g_strdup(name), device);
        r = write_devices(c, s, devices, ret_error);
        if (r >= 0)
                client_say(c, "Network %s attached to %s as device %s", network, s->object->name,
                           name);
        return r;
}

static bool is_on(GHashTable *device, const char *network) {
        const char *type = g_hash_table_lookup(device, "type");
        const char *on = g_hash_table_lookup(device, "network");

        if (!on && g_strcmp0(g_hash_table_lookup(device, "nictype"), "bridged") == 0)
                on = g_hash_table_lookup(device, "parent");
        return g_strcmp0(type, "nic") == 0 && g_strcmp0(on, network) == 0;
}

static int find_device(const Settings *s, GHashTable *devices, const char *network,
                       const char *wanted, const char **ret, Error *ret_error) {
        const char *noun = object_kind_to_noun(s->object->kind), *found = NULL;
        gpointer name, device;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, devices);
        while (g_hash_table_iter_next(&iter, &name, &device)) {
                if (!is_on(device, network) || (wanted && !g_str_equal(name, wanted)))
                        continue;
                if (found)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "%s '%s' has several devices on the network '%s'; name "
                                         "one of them", noun, s->object->name, network);
                found = name;
        }
        if (!found)
                return error_set(ret_error, ERROR_NO_SUCH_DEVICE,
                                 "%s '%s' has no device%s%s%s of its own on the network '%s'",
                                 noun, s->object->name, wanted ? " '" : "", wanted ?: "",
                                 wanted ? "'" : "", network);
        *ret = found;
        return 0;
}

int network_run_detach(Client *c, ObjectKind kind, Error *ret_error) {
        g_autoptr(GHashTable) devices = NULL;
        g_autofree char *network = NULL, *shown = NULL;
        g_autoptr(Settings) s = NULL;
        const char *name = NULL;
        int r;

        r = client_object_name(client_argument(c, 0), &network, ret_error);
        if (r >= 0)
                r = read_settings(c, kind, &s, ret_error);
        if (r < 0)
                return r;
        devices = devices_from_variant(s->devices);
        r = find_device(s, devices, network, client_argument(c, 2), &name, ret_error);
        if (r < 0)
                return r;
        shown = g_strdup(name);
        g_hash_table_remove(devices, shown);
        r = write_devices(c, s, devices, ret_error);
        if (r >= 0)
                client_say(c, "Device %s removed from %s", shown, s->object->name);
        return r;
}
