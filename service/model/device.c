/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/device.h"

#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/name.h"

const char *device_get_type(GVariant *options) {
        return config_get(options, "type");
}

const DeviceType *device_type_find(const char *name) {
        for (const DeviceType *type = device_type_table(); type->name; type++)
                if (g_str_equal(type->name, name))
                        return type;
        return NULL;
}

static int unknown_type(const char *name, Error *ret_error) {
        g_autoptr(GString) all = g_string_new(NULL);

        for (const DeviceType *type = device_type_table(); type->name; type++)
                g_string_append_printf(all, "%s%s", all->len > 0 ? ", " : "", type->name);
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "there is no device type \"%.32s\" (%s)", name, all->str);
}

static int check_option(const DeviceType *type, const char *key, const char *value,
                        Error *ret_error) {
        for (const DeviceOption *o = type->options; o->name; o++) {
                int r;

                if (!g_str_equal(o->name, key))
                        continue;
                r = o->check(value, ret_error);
                if (r < 0)
                        error_prefix(ret_error, "option \"%s\"", key);
                return r;
        }
        return error_set(ret_error, ERROR_INVALID_DEVICE, "a %s has no option \"%.64s\"",
                         type->name, key);
}

static int device_check(GVariant *options, Error *ret_error) {
        const char *type_name = device_get_type(options), *key, *value;
        const DeviceType *type;
        GVariantIter iter;
        int r;

        if (!type_name)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "it has no \"type\"");
        type = device_type_find(type_name);
        if (!type)
                return unknown_type(type_name, ret_error);
        r = config_check_unique(options, "Device option", ret_error);
        if (r < 0)
                return r;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (g_str_equal(key, "type"))
                        continue;
                r = check_option(type, key, value, ret_error);
                if (r < 0)
                        return r;
        }
        for (const DeviceOption *o = type->options; o->name; o++)
                if (o->required && !config_get(options, o->name))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "a %s needs the option \"%s\"", type->name, o->name);
        return type->check ? type->check(options, ret_error) : 0;
}

int devices_check(GVariant *devices, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r;

        r = config_check_unique(devices, "Device", ret_error);
        if (r < 0)
                return r;
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                r = name_check(NAME_DEVICE, name, ret_error);
                if (r < 0)
                        return r;
                r = device_check(owned, ret_error);
                if (r < 0) {
                        error_prefix(ret_error, "Device \"%s\"", name);
                        return r;
                }
        }
        return 0;
}

int devices_find_root(GVariant *devices, const char **ret_name, const char **ret_pool,
                      Error *ret_error) {
        const char *found_name = NULL, *found_pool = NULL, *name;
        GVariantIter iter;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (!g_str_equal(device_get_type(owned), "disk") ||
                    g_strcmp0(config_get(owned, "path"), "/") != 0)
                        continue;
                if (found_name)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "Devices \"%s\" and \"%s\" are both root disks",
                                         found_name, name);
                found_name = name;
                found_pool = config_get(owned, "pool");
        }
        if (!found_name)
                return error_set(
                        ret_error, ERROR_INVALID_DEVICE,
                        "There is no root disk: give the profile or the container a device "
                        "of type disk with path=/ and pool=NAME");
        *ret_name = found_name;
        *ret_pool = found_pool;
        return 0;
}

const char *device_get_nictype(GVariant *options) {
        if (g_strcmp0(device_get_type(options), "nic") != 0)
                return NULL;
        return config_get(options, "nictype") ?: "bridged";
}

const char *device_get_network(GVariant *options) {
        if (g_strcmp0(device_get_nictype(options), "bridged") != 0)
                return NULL;
        return config_get(options, "network") ?: config_get(options, "parent");
}

bool device_is_volume(GVariant *options) {
        return device_is_disk(options) && config_get(options, "pool") &&
               config_get(options, "source");
}

bool device_is_below_dev(GVariant *options) {
        const char *source = device_is_disk(options) ? config_get(options, "source") : NULL;

        /* There everybody has files of his own. */
        return source && g_str_has_prefix(source, "/dev/") &&
               !g_str_has_prefix(source, "/dev/shm/");
}

bool device_is_disk(GVariant *options) {
        return g_strcmp0(device_get_type(options), "disk") == 0;
}

bool device_is_unix(GVariant *options) {
        static const char *const types[] = { "unix-block", "unix-char", NULL };
        const char *type = device_get_type(options);

        return type && g_strv_contains(types, type);
}

static bool is_found(GVariant *options) {
        static const char *const types[] = { "gpu", "unix-hotplug", "usb", NULL };
        const char *type = device_get_type(options);

        return type && g_strv_contains(types, type);
}

bool device_has_nodes(GVariant *options) {
        return device_is_unix(options) || is_found(options);
}

bool device_is_required(GVariant *options) {
        static const char *const plugged[] = { "unix-hotplug", "usb", NULL };
        const char *type = device_get_type(options);
        bool fallback = !type || !g_strv_contains(plugged, type);

        return device_get_boolean(options, "required", fallback) &&
               !device_get_boolean(options, "optional", false);
}

bool device_follows_host(GVariant *options) {
        return is_found(options) || (device_is_unix(options) && !device_is_required(options) &&
                                     !config_get(options, "major"));
}

bool device_is_proxy(GVariant *options) {
        return g_strcmp0(device_get_type(options), "proxy") == 0;
}

const char *device_get_target(GVariant *options) {
        const char *path = NULL;

        if (device_is_disk(options) && config_get(options, "source"))
                path = config_get(options, "path");
        else if (device_is_unix(options))
                path = config_get(options, "path") ?: config_get(options, "source");
        if (!path)
                return NULL;
        while (*path == '/')
                path++;
        return path;
}

bool device_has_limits(GVariant *options) {
        const char *key;
        GVariantIter iter;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "limits."))
                        return true;
        return false;
}

/* What can be another while the device is used. */
static bool is_adjustable(GVariant *options, const char *key) {
        if (g_str_has_prefix(key, "limits.") || g_str_equal(key, "mtu"))
                return true;
        return device_get_network(options) &&
               (g_str_equal(key, "ipv4.address") || g_str_equal(key, "ipv6.address") ||
                g_str_has_prefix(key, "security."));
}

/* All of `a` that is not adjustable is in `b`. */
static bool is_within(GVariant *a, GVariant *b) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, a);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (!is_adjustable(a, key) && g_strcmp0(config_get(b, key), value) != 0)
                        return false;
        return true;
}

bool device_is_adjustable(GVariant *a, GVariant *b) {
        return is_within(a, b) && is_within(b, a);
}

bool device_get_boolean(GVariant *options, const char *name, bool fallback) {
        const char *value = config_get(options, name);
        bool result;

        return value && config_parse_boolean(value, &result) >= 0 ? result : fallback;
}

unsigned device_get_number(GVariant *options, const char *name, unsigned base, unsigned fallback) {
        const char *value = config_get(options, name);
        guint64 result;

        if (!value || !g_ascii_string_to_unsigned(value, base, 0, G_MAXUINT, &result, NULL))
                return fallback;
        return (unsigned) result;
}
