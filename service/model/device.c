/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/device.h"

#include <string.h>

#include "service/model/config.h"
#include "service/model/name.h"

typedef struct DeviceOption {
        const char *name;
        int (*check)(const char *value, Error *ret_error);
        bool required;
} DeviceOption;

typedef struct DeviceType {
        const char *name;
        const DeviceOption *options; /* ends with a NULL name */
        int (*check)(GVariant *options, Error *ret_error); /* what concerns several options */
} DeviceType;

static int check_root_path(const char *value, Error *ret_error) {
        if (!g_str_equal(value, "/"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "only the root disk, with path \"/\", is supported");
        return 0;
}

static int check_pool(const char *value, Error *ret_error) {
        return name_check(NAME_POOL, value, ret_error);
}

static int check_nictype(const char *value, Error *ret_error) {
        if (!g_str_equal(value, "bridged"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "nictype \"%s\" is not known, only \"bridged\"", value);
        return 0;
}

static int check_network(const char *value, Error *ret_error) {
        return name_check(NAME_NETWORK, value, ret_error);
}

static int check_interface(const char *value, Error *ret_error) {
        return name_check(NAME_INTERFACE, value, ret_error);
}

static int check_hwaddr(const char *value, Error *ret_error) {
        bool ok = strlen(value) == 17;

        for (size_t i = 0; ok && i < 17; i++)
                ok = i % 3 == 2 ? value[i] == ':' : g_ascii_isxdigit(value[i]);
        /* A group address is nobody's own. */
        if (ok)
                ok = !(g_ascii_xdigit_value(value[1]) & 1);
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%s\" is no Ethernet address such as 00:16:3e:12:34:56", value);
        return 0;
}

static int check_nic(GVariant *options, Error *ret_error) {
        const char *network = config_get(options, "network");
        const char *nictype = config_get(options, "nictype");
        const char *parent = config_get(options, "parent");

        if (!!network == !!nictype)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a nic needs either \"network\" or \"nictype\" with \"parent\"");
        if (!!nictype != !!parent)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"nictype\" and \"parent\" go together");
        return 0;
}

static const DeviceOption disk_options[] = {
        { "path", check_root_path, true },
        { "pool", check_pool, true },
        { NULL },
};

static const DeviceOption nic_options[] = {
        { "network", check_network },
        { "nictype", check_nictype },
        { "parent", check_network },
        { "name", check_interface },
        { "hwaddr", check_hwaddr },
        { NULL },
};

static const DeviceOption none_options[] = {
        { NULL },
};

static const DeviceType types[] = {
        { "disk", disk_options, NULL },
        { "nic", nic_options, check_nic },
        { "none", none_options, NULL },
};

const char *device_get_type(GVariant *options) {
        return config_get(options, "type");
}

static const DeviceType *type_find(const char *name) {
        for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
                if (g_str_equal(types[i].name, name))
                        return &types[i];
        return NULL;
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
        type = type_find(type_name);
        if (!type)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "there is no device type \"%.32s\" (disk, nic, none)", type_name);
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

const char *device_get_network(GVariant *options) {
        const char *network;

        if (!g_str_equal(device_get_type(options), "nic"))
                return NULL;
        network = config_get(options, "network");
        return network ?: config_get(options, "parent");
}
