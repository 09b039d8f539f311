/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/device-check.h"

#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/model/nic-route.h"
#include "service/model/nic-vlan.h"
#include "service/model/size.h"
#include "service/util/cleanup.h"

/* Linux has 12 bits for the major and 20 for the minor number of a device. */
#define MAJOR_MAX 4095U
#define MINOR_MAX 1048575U
/* Ids inside: a container may have a map as large as all of 32 bits. */
#define ID_MAX 4294967294U
#define PATH_LENGTH_MAX 4095U

/* --- values --- */

int device_check_pool(const char *value, Error *ret_error) {
        return name_check(NAME_POOL, value, ret_error);
}

int device_check_network(const char *value, Error *ret_error) {
        return name_check(NAME_NETWORK, value, ret_error);
}

int device_check_interface(const char *value, Error *ret_error) {
        return name_check(NAME_INTERFACE, value, ret_error);
}

static int check_one_of(const char *value, const char *const *words, Error *ret_error) {
        g_autofree char *all = NULL;

        if (g_strv_contains(words, value))
                return 0;
        all = g_strjoinv(", ", (char **) words);
        return error_set(ret_error, ERROR_INVALID_DEVICE, "\"%.64s\" is none of %s", value, all);
}

int device_check_nictype(const char *value, Error *ret_error) {
        static const char *const words[] = {
                "bridged", "p2p", "macvlan", "ipvlan", "physical", "routed", NULL,
        };

        return check_one_of(value, words, ret_error);
}

int device_check_mode_ipvlan(const char *value, Error *ret_error) {
        static const char *const words[] = { "l2", "l3", "l3s", NULL };

        return check_one_of(value, words, ret_error);
}

int device_check_hwaddr(const char *value, Error *ret_error) {
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

bool device_hwaddr_is_valid(const char *hwaddr) {
        return device_check_hwaddr(hwaddr, NULL) >= 0;
}

static int check_number(const char *value, uint64_t min, uint64_t max, Error *ret_error) {
        uint64_t unused;

        if (config_parse_integer(value, min, max, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no number between %" G_GUINT64_FORMAT " and %"
                                 G_GUINT64_FORMAT, value, min, max);
        return 0;
}

int device_check_major(const char *value, Error *ret_error) {
        return check_number(value, 0, MAJOR_MAX, ret_error);
}

int device_check_minor(const char *value, Error *ret_error) {
        return check_number(value, 0, MINOR_MAX, ret_error);
}

int device_check_id(const char *value, Error *ret_error) {
        return check_number(value, 0, ID_MAX, ret_error);
}

int device_check_nic_mtu(const char *value, Error *ret_error) {
        return check_number(value, 68, 65535, ret_error);
}

int device_check_mode(const char *value, Error *ret_error) {
        size_t n = strspn(value, "01234567");

        if (n < 3 || n > 4 || value[n] || (n == 4 && value[0] != '0'))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no mode such as 0660", value);
        return 0;
}

/* No component that leads elsewhere, nothing that could end a line. */
int device_check_path(const char *value, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(value, "/", -1);

        if (!*value || strlen(value) > PATH_LENGTH_MAX || !g_utf8_validate(value, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_DEVICE, "it is no path");
        for (const char *p = value; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "the path holds a control character");
        for (char **part = parts; *part; part++)
                if (g_str_equal(*part, "..") || g_str_equal(*part, "."))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "the path \"%s\" holds \"%s\"", value, *part);
        return 0;
}

int device_check_source(const char *value, Error *ret_error) {
        if (*value != '/')
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.128s\" is not an absolute path", value);
        return device_check_path(value, ret_error);
}

/* As lsusb and lspci show them. */
int device_check_hardware_id(const char *value, Error *ret_error) {
        bool ok = strlen(value) == 4;

        for (const char *p = value; ok && *p; p++)
                ok = g_ascii_isxdigit(*p);
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is not four hexadecimal digits such as 046d", value);
        return 0;
}

int device_check_pci(const char *value, Error *ret_error) {
        static const char whole[] = "xxxx:xx:xx.x";
        size_t n = strlen(value);
        /* The domain may be left out. */
        const char *pattern = n == strlen(whole) ? whole : strchr(whole, ':') + 1;
        bool ok = n == strlen(pattern);

        for (size_t i = 0; ok && i < n; i++)
                ok = pattern[i] == 'x' ? g_ascii_isxdigit(value[i]) : value[i] == pattern[i];
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no address of PCI such as 0000:01:00.0", value);
        return 0;
}

int device_check_gputype(const char *value, Error *ret_error) {
        static const char *const words[] = { "physical", NULL };

        return check_one_of(value, words, ret_error);
}

/* A path of the host, or the name of a volume; device_check_disk() says which it is to be. */
int device_check_disk_source(const char *value, Error *ret_error) {
        return *value == '/' ? device_check_path(value, ret_error)
                             : name_check(NAME_VOLUME, value, ret_error);
}

int device_check_disk_size(const char *value, Error *ret_error) {
        uint64_t unused;

        return size_parse(value, &unused, ret_error);
}

int device_check_boolean(const char *value, Error *ret_error) {
        return config_check_boolean(value, ret_error);
}

/* --- what concerns several options --- */

static int check_limits(GVariant *options, const char *one, const char *other, Error *ret_error) {
        if (config_get(options, "limits.max") &&
            (config_get(options, one) || config_get(options, other)))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"limits.max\" stands for \"%s\" and \"%s\" and does not go "
                                 "with them", one, other);
        return 0;
}

static int check_pool_disk(GVariant *options, bool root, Error *ret_error) {
        static const char *const options_of_files[] = { "shift", "recursive", "propagation" };
        static const char *const options_of_disks[] = { "readonly", "raw.mount.options",
                                                        "required", "optional" };

        for (size_t i = 0; i < ELEMENTSOF(options_of_files); i++)
                if (config_get(options, options_of_files[i]))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for files of the host", options_of_files[i]);
        for (size_t i = 0; root && i < ELEMENTSOF(options_of_disks); i++)
                if (config_get(options, options_of_disks[i]))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is not for the root disk", options_of_disks[i]);
        return 0;
}

int device_check_disk(GVariant *options, Error *ret_error) {
        bool root = g_str_equal(config_get(options, "path"), "/");
        const char *source = config_get(options, "source"), *pool = config_get(options, "pool");

        if (root && (source || !pool))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "the root disk, with path \"/\", has a \"pool\" and no "
                                 "\"source\"");
        if (!root && !source)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a disk other than the root disk has a \"source\"");
        if (!root && !pool != (*source == '/'))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "the \"source\" is an absolute path, or with \"pool\" the name "
                                 "of a volume");
        if (pool) {
                int r = check_pool_disk(options, root, ret_error);

                if (r < 0)
                        return r;
        }
        if (!root && config_get(options, "size"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"size\" is for the root disk; a volume has its own, a "
                                 "directory of the host none");
        return check_limits(options, "limits.read", "limits.write", ret_error);
}

/* Of what a network gives, unlike what the host routes, there is one. */
static int check_one_address(GVariant *options, Error *ret_error) {
        const char *ipv4 = config_get(options, "ipv4.address");
        const char *ipv6 = config_get(options, "ipv6.address");

        if ((ipv4 && strchr(ipv4, ',')) || (ipv6 && strchr(ipv6, ',')))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "only a routed nic or one of ipvlan has several addresses");
        return 0;
}

static int check_not_bridged(GVariant *options, bool addressed, Error *ret_error) {
        const char *key;
        GVariantIter iter;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "security.") ||
                    (!addressed && (g_str_equal(key, "ipv4.address") ||
                                    g_str_equal(key, "ipv6.address"))))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for nics on a network of type bridge", key);
        return 0;
}

int device_check_nic(GVariant *options, Error *ret_error) {
        const char *network = config_get(options, "network");
        const char *nictype = config_get(options, "nictype");
        const char *parent = config_get(options, "parent");
        bool alone = nictype && g_str_equal(nictype, "p2p");
        bool routed = nictype && g_str_equal(nictype, "routed");
        bool addressed = routed || g_strcmp0(nictype, "ipvlan") == 0;
        int r;

        if (!!network == !!nictype)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a nic needs either \"network\" or \"nictype\"");
        if (network && parent)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"parent\" goes with \"nictype\", not with \"network\"");
        if (nictype && !routed && alone == !!parent)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 alone ? "a p2p nic has no \"parent\""
                                       : "a nic of type %s needs a \"parent\"", nictype);
        if (device_has_limits(options) && nictype && !alone && !routed &&
            !g_str_equal(nictype, "bridged"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"limits.\" are for nics with an end on the host: bridged, "
                                 "routed and p2p");
        if (config_get(options, "mode") && g_strcmp0(nictype, "ipvlan") != 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "\"mode\" is for ipvlan");
        r = nic_check_routed(options, ret_error);
        if (r >= 0 && !addressed)
                r = check_one_address(options, ret_error);
        if (r >= 0 && nictype && !g_str_equal(nictype, "bridged"))
                r = check_not_bridged(options, addressed, ret_error);
        if (r >= 0)
                r = nic_check_vlans(options, ret_error);
        return r < 0 ? r : check_limits(options, "limits.ingress", "limits.egress", ret_error);
}

int device_check_unix(GVariant *options, Error *ret_error) {
        if (!config_get(options, "source") && !config_get(options, "path"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it needs a \"source\" or a \"path\"");
        if (!!config_get(options, "major") != !!config_get(options, "minor"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"major\" and \"minor\" go together");
        return 0;
}

int device_check_gpu(GVariant *options, Error *ret_error) {
        bool by_id = config_get(options, "id"), by_pci = config_get(options, "pci");
        bool by_model = config_get(options, "vendorid") || config_get(options, "productid");

        if (by_id + by_pci + by_model > 1)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a card is chosen by \"id\", by \"pci\", or by \"vendorid\" "
                                 "and \"productid\"");
        return 0;
}

int device_check_hotplug(GVariant *options, Error *ret_error) {
        if (!config_get(options, "vendorid") && !config_get(options, "productid"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it needs a \"vendorid\" or a \"productid\"");
        return 0;
}

/* --- classes --- */

/* With its owner's credentials, and for his uid alone, a disk is his own affair. */
Privilege device_privilege_of_disk(GVariant *options) {
        if (!config_get(options, "source"))
                return PRIVILEGE_USE;
        /* Of whoever owns the container; where it is another's, volumes_resolve() has said so. */
        if (config_get(options, "pool"))
                return config_get(options, "volatile.owner") ? PRIVILEGE_HOST : PRIVILEGE_USE;
        if (config_get(options, "shift") || config_get(options, "recursive") ||
            config_get(options, "propagation") || device_is_below_dev(options))
                return PRIVILEGE_HOST;
        return PRIVILEGE_OWN_FILES;
}

/* Without its guards it could be any of its neighbours. */
Privilege device_privilege_of_nic(GVariant *options) {
        static const char *const guards[] = {
                "security.mac_filtering", "security.ipv4_filtering", "security.ipv6_filtering",
        };

        /* Which VLANs of a bridge are whose is for who has made them. */
        if (!device_get_network(options) || config_get(options, "vlan") ||
            config_get(options, "vlan.tagged"))
                return PRIVILEGE_HOST;
        for (size_t i = 0; i < G_N_ELEMENTS(guards); i++)
                if (!device_get_boolean(options, guards[i], true))
                        return PRIVILEGE_HOST;
        return PRIVILEGE_USE;
}

/* It computes, and shows nothing on a screen. */
static bool is_render_node(const char *path) {
        static const char prefix[] = "/dev/dri/renderD";
        const char *number = g_str_has_prefix(path, prefix) ? path + strlen(prefix) : "";

        return *number && strspn(number, "0123456789") == strlen(number);
}

/* A few nodes that lead into code of the kernel, but to nothing of the host's. */
Privilege device_privilege_of_unix_char(GVariant *options) {
        static const char *const known[] = { "/dev/fuse", "/dev/kvm", "/dev/net/tun", NULL };
        const char *source = config_get(options, "source") ?: config_get(options, "path");

        if (config_get(options, "major") || !source ||
            !(g_strv_contains(known, source) || is_render_node(source)))
                return PRIVILEGE_HOST;
        return PRIVILEGE_KERNEL_SURFACE;
}

/* With the other nodes of a card comes what the host's screens show. */
Privilege device_privilege_of_gpu(GVariant *options) {
        return device_get_boolean(options, "render", false) ? PRIVILEGE_KERNEL_SURFACE
                                                            : PRIVILEGE_HOST;
}

Privilege device_privilege_of_host_device(GVariant *options) {
        return PRIVILEGE_HOST;
}

Privilege device_privilege_of_none(GVariant *options) {
        return PRIVILEGE_USE;
}
