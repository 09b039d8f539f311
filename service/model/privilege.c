/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/privilege.h"

#include "service/model/config.h"
#include "service/model/device.h"

static const char *const names[] = {
        [PRIVILEGE_USE] = "use",
        [PRIVILEGE_OWN_FILES] = "attach-own-files",
        [PRIVILEGE_KERNEL_SURFACE] = "use-kernel-surface",
        [PRIVILEGE_HOST] = "host-access",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == _PRIVILEGE_MAX);

const char *privilege_to_string(Privilege privilege) {
        g_assert(privilege >= 0 && privilege < _PRIVILEGE_MAX);
        return names[privilege];
}

Privilege privilege_from_string(const char *s) {
        for (Privilege p = 0; p < _PRIVILEGE_MAX; p++)
                if (g_str_equal(names[p], s))
                        return p;
        return _PRIVILEGE_INVALID;
}

Privilege config_class_privilege(ConfigClass class) {
        switch (class) {
        case CONFIG_CLASS_USE:
                return PRIVILEGE_USE;
        case CONFIG_CLASS_KERNEL_SURFACE:
                return PRIVILEGE_KERNEL_SURFACE;
        case CONFIG_CLASS_HOST:
        case _CONFIG_CLASS_UNSET:
                return PRIVILEGE_HOST;
        }
        g_assert_not_reached();
}

Privilege config_key_privilege(const char *key, const char *value) {
        const ConfigKey *row = config_key_find(key);
        bool on;

        if (!row)
                return PRIVILEGE_HOST;
        /* Only what certainly reads as the harmless value is harmless. */
        if (row->harmless_when && config_parse_boolean(value, &on) >= 0 &&
            on == g_str_equal(row->harmless_when, "true"))
                return PRIVILEGE_USE;
        return config_class_privilege(row->class);
}

Privilege device_privilege(GVariant *options) {
        const char *name = device_get_type(options);
        const DeviceType *type = name ? device_type_find(name) : NULL;

        return type ? type->privilege(options) : PRIVILEGE_HOST;
}

Privilege config_privilege(GVariant *config) {
        Privilege strongest = PRIVILEGE_USE;
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                strongest = MAX(strongest, config_key_privilege(key, value));
        return strongest;
}

Privilege devices_privilege(GVariant *devices) {
        Privilege strongest = PRIVILEGE_USE;
        GVariant *options;
        GVariantIter iter;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                strongest = MAX(strongest, device_privilege(options));
                g_variant_unref(options);
        }
        return strongest;
}

/* --- changes --- */

static void note(char **list, const char *name) {
        g_autofree char *old = *list;

        *list = old ? g_strconcat(old, ",", name, NULL) : g_strdup(name);
}

static void note_key(PrivilegeChange *change, const char *key, Privilege privilege) {
        if (privilege > PRIVILEGE_USE)
                note(&change->keys, key);
        change->privilege = MAX(change->privilege, privilege);
}

/* What is in `config` and not the same in `other`; a key that both have is noted once, with the
 * stronger of its values, when `both` is set. */
static void compare_config(GVariant *config, GVariant *other, bool both, PrivilegeChange *change) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                const char *old = config_get(other, key);

                if (!old)
                        note_key(change, key, config_key_privilege(key, value));
                else if (both && !g_str_equal(old, value))
                        note_key(change, key, MAX(config_key_privilege(key, value),
                                                  config_key_privilege(key, old)));
        }
}

static void note_device(PrivilegeChange *change, const char *name, Privilege privilege) {
        if (privilege > PRIVILEGE_USE)
                note(&change->devices, name);
        change->privilege = MAX(change->privilege, privilege);
}

static void compare_devices(GVariant *devices, GVariant *other, bool both,
                            PrivilegeChange *change) {
        const char *name;
        GVariantIter iter;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, old = devices_get(other, name);

                if (!old)
                        note_device(change, name, device_privilege(owned));
                else if (both && !g_variant_equal(old, owned))
                        note_device(change, name,
                                    MAX(device_privilege(owned), device_privilege(old)));
        }
}

void privilege_compare(GVariant *config_before, GVariant *devices_before, GVariant *config_after,
                       GVariant *devices_after, PrivilegeChange *ret) {
        g_autoptr(GVariant) config = config_before ? g_variant_ref(config_before) : config_empty();
        g_autoptr(GVariant) devices = devices_before ? g_variant_ref(devices_before)
                                                     : devices_empty();

        *ret = (PrivilegeChange) { PRIVILEGE_USE };
        compare_config(config_after, config, true, ret);
        compare_config(config, config_after, false, ret);
        compare_devices(devices_after, devices, true, ret);
        compare_devices(devices, devices_after, false, ret);
}

void privilege_change_done(PrivilegeChange *change) {
        g_clear_pointer(&change->keys, g_free);
        g_clear_pointer(&change->devices, g_free);
}
