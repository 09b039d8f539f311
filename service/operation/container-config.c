/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-address.h"
#include "service/operation/container.h"
#include "service/operation/step.h"
#include "service/operation/volume-device.h"
#include "service/util/cleanup.h"

/* A nic on a network of type macvlan or physical is what it would be without the network: a nic of
 * that type on the interface of the host, in its class too. */
static GVariant *resolve_nic(Manager *m, GVariant *options) {
        const char *name = config_get(options, "network");
        Network *network = name ? manager_find_network(m, name) : NULL;
        GVariant *config = network ? network_get_config(network) : NULL;
        const char *parent = network ? config_get(config, "parent") : NULL;
        const char *mtu = network ? config_get(config, "mtu") : NULL;
        const char *vlan = network ? config_get(config, "vlan") : NULL;
        g_autoptr(GVariant) set = NULL;
        GVariantBuilder builder;

        if (!network || network->type == NETWORK_BRIDGE || !parent ||
            g_strcmp0(device_get_type(options), "nic") != 0)
                return g_variant_ref(options);
        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_builder_add(&builder, "{ss}", "nictype", network_type_to_string(network->type));
        g_variant_builder_add(&builder, "{ss}", "parent", parent);
        if (mtu && !config_get(options, "mtu"))
                g_variant_builder_add(&builder, "{ss}", "mtu", mtu);
        if (vlan)
                g_variant_builder_add(&builder, "{ss}", "vlan", vlan);
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        return config_merge(options, set, NULL);
}

/* What a device is on this host, for this owner. */
static GVariant *resolve_devices(Manager *m, uid_t owner, GVariant *devices) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, resolved = NULL;

                resolved = device_is_volume(owned) ? volume_device_resolve(m, owner, owned)
                                                   : resolve_nic(m, owned);
                g_variant_builder_add(&builder, "{s@a{ss}}", name, resolved);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* Profiles apply in their order, then what the container has itself; a device of the same name
 * replaces the earlier one whole. */
void profiles_merge(Manager *m, const char *const *profiles, GVariant *config, GVariant *devices,
                    GVariant **ret_config, GVariant **ret_devices) {
        g_autoptr(GVariant) c = config_empty(), d = devices_empty();

        for (const char *const *name = profiles; *name; name++) {
                Profile *profile = manager_find_profile(m, *name);
                GVariant *merged;

                if (!profile)
                        continue;
                merged = config_merge(c, profile->config, NULL);
                g_variant_unref(c);
                c = merged;
                merged = devices_merge(d, profile->devices);
                g_variant_unref(d);
                d = merged;
        }
        *ret_config = config_merge(c, config, NULL);
        *ret_devices = devices_merge(d, devices);
}

void profiles_expand(Manager *m, uid_t owner, const char *const *profiles, GVariant *config,
                     GVariant *devices, GVariant **ret_config, GVariant **ret_devices) {
        g_autoptr(GVariant) merged = NULL;

        profiles_merge(m, profiles, config, devices, ret_config, &merged);
        *ret_devices = resolve_devices(m, owner, merged);
}

void container_expand(Manager *m, const Container *c, GVariant **ret_config,
                      GVariant **ret_devices) {
        profiles_expand(m, c->object.owner, (const char *const *) c->profiles, c->config,
                        c->devices, ret_config, ret_devices);
}

const char *container_get_expanded(Manager *m, const Container *c, const char *key) {
        const char *value = config_get(c->config, key);

        for (guint i = g_strv_length(c->profiles); !value && i > 0; i--) {
                const Profile *profile = manager_find_profile(m, c->profiles[i - 1]);

                value = profile ? config_get(profile->config, key) : NULL;
        }
        return value;
}

static int check_profiles(Manager *m, const char *const *profiles, Error *ret_error) {
        for (const char *const *name = profiles; *name; name++) {
                Object *unused;
                int r = manager_get(m, OBJECT_PROFILE, *name, &unused, ret_error);

                if (r < 0)
                        return r;
                for (const char *const *other = profiles; other < name; other++)
                        if (g_str_equal(*other, *name))
                                return error_set(ret_error, ERROR_INVALID_ARGS,
                                                 "Profile \"%s\" is given twice", *name);
        }
        return 0;
}

static int check_networks(Manager *m, GVariant *devices, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                const char *network = device_get_network(owned);
                Object *unused;
                int r;

                if (!network)
                        continue;
                r = manager_get(m, OBJECT_NETWORK, network, &unused, ret_error);
                if (r < 0) {
                        error_prefix(ret_error, "Device \"%s\"", name);
                        return r;
                }
        }
        return 0;
}

int container_check(Manager *m, const char *container, const char *const *profiles,
                    GVariant *config, GVariant *devices, char **ret_pool, Error *ret_error) {
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;
        const char *root, *pool;
        Object *unused;
        int r;

        r = check_profiles(m, profiles, ret_error);
        if (r >= 0)
                r = devices_check(devices, ret_error);
        if (r < 0)
                return r;
        profiles_expand(m, 0, profiles, config, devices, &all_config, &all_devices);
        r = devices_find_root(all_devices, &root, &pool, ret_error);
        if (r >= 0)
                r = manager_get(m, OBJECT_POOL, pool, &unused, ret_error);
        if (r >= 0)
                r = check_networks(m, all_devices, ret_error);
        if (r >= 0)
                r = container_addresses_check(m, container, all_devices, ret_error);
        if (r >= 0)
                r = volume_devices_check(m, all_devices, ret_error);
        if (r < 0)
                return r;
        *ret_pool = g_strdup(pool);
        return 0;
}

/* --- what it takes --- */

Privilege container_get_privilege(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(m, c, &config, &devices);
        return MAX(config_privilege(config), devices_privilege(devices));
}

void container_start_privilege(Manager *m, const Container *c, PrivilegeChange *ret) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        Privilege granted = c->granted;

        for (char **name = c->profiles; *name; name++) {
                const Profile *profile = manager_find_profile(m, *name);

                if (profile)
                        granted = MAX(granted, profile->granted);
        }
        container_expand(m, c, &config, &devices);
        privilege_compare(NULL, NULL, config, devices, ret);
        if (ret->privilege <= granted)
                ret->privilege = PRIVILEGE_USE;
}

int caller_check(Caller caller, const PrivilegeChange *change, const char *what,
                 Error *ret_error) {
        if (change->privilege <= caller.privilege)
                return 0;
        return error_set(ret_error, ERROR_ACCESS_DENIED,
                         "\"%s\" needs org.berth1.%s for %s%s%s, which was not granted", what,
                         privilege_to_string(change->privilege), change->keys ?: "",
                         change->keys && change->devices ? ", " : "", change->devices ?: "");
}
