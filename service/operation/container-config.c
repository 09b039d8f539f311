/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

/* Profiles apply in their order, then what the container has itself; a device of the same name
 * replaces the earlier one whole. */
void profiles_expand(Manager *m, const char *const *profiles, GVariant *config, GVariant *devices,
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

void container_expand(Manager *m, const Container *c, GVariant **ret_config,
                      GVariant **ret_devices) {
        profiles_expand(m, (const char *const *) c->profiles, c->config, c->devices, ret_config,
                        ret_devices);
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

int container_check(Manager *m, const char *const *profiles, GVariant *config, GVariant *devices,
                    char **ret_pool, Error *ret_error) {
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;
        const char *root, *pool;
        Object *unused;
        int r;

        r = check_profiles(m, profiles, ret_error);
        if (r >= 0)
                r = devices_check(devices, ret_error);
        if (r < 0)
                return r;
        profiles_expand(m, profiles, config, devices, &all_config, &all_devices);
        r = devices_find_root(all_devices, &root, &pool, ret_error);
        if (r >= 0)
                r = manager_get(m, OBJECT_POOL, pool, &unused, ret_error);
        if (r >= 0)
                r = check_networks(m, all_devices, ret_error);
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

/* --- changing it --- */

/* The values that an update leads to, made whole before anything is touched. */
typedef struct NewValues {
        GVariant *config, *devices;
        char **profiles;
} NewValues;

static void new_values_clear(NewValues *new) {
        g_clear_pointer(&new->config, g_variant_unref);
        g_clear_pointer(&new->devices, g_variant_unref);
        g_clear_pointer(&new->profiles, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NewValues, new_values_clear)

static NewValues new_values_of(const Container *c, const ContainerUpdate *update) {
        return (NewValues) {
                .config = config_merge(c->config, update->set, update->unset),
                .devices = devices_merge(update->devices ?: c->devices, NULL),
                .profiles = g_strdupv(update->profiles ? (char **) update->profiles : c->profiles),
        };
}

static int update_check(Manager *m, Container *c, const ContainerUpdate *update,
                        const NewValues *new, Error *ret_error) {
        g_autofree char *pool = NULL;
        int r;

        if (update->if_revision && *update->if_revision != c->object.revision)
                return error_set(
                        ret_error, ERROR_CONFLICT,
                        "Container \"%s\" has changed meanwhile (revision %" G_GUINT64_FORMAT
                        ", not %" G_GUINT64_FORMAT "); read it again",
                        c->object.name, c->object.revision, *update->if_revision);
        r = config_check(update->set, update->unset, CONFIG_SCOPE_CONTAINER, ret_error);
        if (r >= 0)
                r = container_check(m, (const char *const *) new->profiles, new->config,
                                    new->devices, &pool, ret_error);
        if (r < 0)
                return r;
        if (!g_str_equal(pool, c->pool))
                return error_set(
                        ret_error, ERROR_INVALID_DEVICE,
                        "The root disk of container \"%s\" is on pool \"%s\" and cannot be "
                        "put on \"%s\" by a change of configuration",
                        c->object.name, c->pool, pool);
        return 0;
}

/* Exchanges what the container has for what `new` holds. */
static void update_compare(Manager *m, const Container *c, const NewValues *new,
                           PrivilegeChange *ret) {
        g_autoptr(GVariant) config = NULL, devices = NULL, new_config = NULL, new_devices = NULL;

        container_expand(m, c, &config, &devices);
        profiles_expand(m, (const char *const *) new->profiles, new->config, new->devices,
                        &new_config, &new_devices);
        privilege_compare(config, devices, new_config, new_devices, ret);
}

int container_update_privilege(Manager *m, Container *c, const ContainerUpdate *update,
                               PrivilegeChange *ret, Error *ret_error) {
        g_auto(NewValues) new = new_values_of(c, update);
        int r = update_check(m, c, update, &new, ret_error);

        if (r >= 0)
                update_compare(m, c, &new, ret);
        return r;
}

static void update_swap(Container *c, NewValues *new) {
        NewValues old = { c->config, c->devices, c->profiles };

        c->config = new->config;
        c->devices = new->devices;
        c->profiles = new->profiles;
        *new = old;
}

int container_update(Manager *m, Caller caller, Container *c, const ContainerUpdate *update,
                     Error *ret_error) {
        g_auto(NewValues) new = new_values_of(c, update);
        g_auto(PrivilegeChange) change = { 0 };
        g_autofree char *old_description = NULL;
        bool old_ephemeral = c->ephemeral;
        Privilege old_granted = c->granted;
        Job *holder = manager_get_lock(m, &c->object);
        int r;

        if (holder)
                return error_set(ret_error, ERROR_BUSY,
                                 "Job %s (%s) works on the container \"%s\"", holder->object.name,
                                 holder->operation, c->object.name);
        r = update_check(m, c, update, &new, ret_error);
        if (r < 0)
                return r;
        update_compare(m, c, &new, &change);
        r = caller_check(caller, &change, c->object.name, ret_error);
        if (r < 0)
                return r;

        update_swap(c, &new);
        old_description = c->description;
        c->description = g_strdup(update->description ?: old_description);
        if (update->ephemeral)
                c->ephemeral = *update->ephemeral;
        c->granted = MIN(MAX(c->granted, change.privilege), container_get_privilege(m, c));
        c->object.revision++;
        r = manager_save(m, &c->object, ret_error);
        if (r < 0) {
                update_swap(c, &new);
                g_free(c->description);
                c->description = TAKE_PTR(old_description);
                c->ephemeral = old_ephemeral;
                c->granted = old_granted;
                c->object.revision--;
                return r;
        }
        manager_changed(m, &c->object);
        usage_changed(m, c);
        manager_lifecycle(m, c, "updated", NULL);
        return 0;
}
