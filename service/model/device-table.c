/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/mount-options.h"
#include "service/model/name.h"
#include "service/model/nic-route.h"
#include "service/model/proxy.h"
#include "service/model/rate.h"
#include "service/model/size.h"
#include "service/util/cleanup.h"

/* Linux has 12 bits for the major and 20 for the minor number of a device. */
#define MAJOR_MAX 4095U
#define MINOR_MAX 1048575U
/* Ids inside: a container may have a map as large as all of 32 bits. */
#define ID_MAX 4294967294U
#define PATH_LENGTH_MAX 4095U

/* --- values --- */

static int check_pool(const char *value, Error *ret_error) {
        return name_check(NAME_POOL, value, ret_error);
}

static int check_network(const char *value, Error *ret_error) {
        return name_check(NAME_NETWORK, value, ret_error);
}

static int check_interface(const char *value, Error *ret_error) {
        return name_check(NAME_INTERFACE, value, ret_error);
}

static int check_one_of(const char *value, const char *const *words, Error *ret_error) {
        g_autofree char *all = NULL;

        if (g_strv_contains(words, value))
                return 0;
        all = g_strjoinv(", ", (char **) words);
        return error_set(ret_error, ERROR_INVALID_DEVICE, "\"%.64s\" is none of %s", value, all);
}

static int check_nictype(const char *value, Error *ret_error) {
        static const char *const words[] = {
                "bridged", "p2p", "macvlan", "ipvlan", "physical", "routed", NULL,
        };

        return check_one_of(value, words, ret_error);
}

static int check_mode_ipvlan(const char *value, Error *ret_error) {
        static const char *const words[] = { "l2", "l3", "l3s", NULL };

        return check_one_of(value, words, ret_error);
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

bool device_hwaddr_is_valid(const char *hwaddr) {
        return check_hwaddr(hwaddr, NULL) >= 0;
}

static int check_number(const char *value, uint64_t min, uint64_t max, Error *ret_error) {
        uint64_t unused;

        if (config_parse_integer(value, min, max, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no number between %" G_GUINT64_FORMAT " and %"
                                 G_GUINT64_FORMAT, value, min, max);
        return 0;
}

static int check_major(const char *value, Error *ret_error) {
        return check_number(value, 0, MAJOR_MAX, ret_error);
}

static int check_minor(const char *value, Error *ret_error) {
        return check_number(value, 0, MINOR_MAX, ret_error);
}

static int check_id(const char *value, Error *ret_error) {
        return check_number(value, 0, ID_MAX, ret_error);
}

static int check_nic_mtu(const char *value, Error *ret_error) {
        return check_number(value, 68, 65535, ret_error);
}

static int check_mode(const char *value, Error *ret_error) {
        size_t n = strspn(value, "01234567");

        if (n < 3 || n > 4 || value[n] || (n == 4 && value[0] != '0'))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no mode such as 0660", value);
        return 0;
}

/* No component that leads elsewhere, nothing that could end a line. */
static int check_path(const char *value, Error *ret_error) {
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

static int check_source(const char *value, Error *ret_error) {
        if (*value != '/')
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.128s\" is not an absolute path", value);
        return check_path(value, ret_error);
}

/* As lsusb and lspci show them. */
static int check_hardware_id(const char *value, Error *ret_error) {
        bool ok = strlen(value) == 4;

        for (const char *p = value; ok && *p; p++)
                ok = g_ascii_isxdigit(*p);
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is not four hexadecimal digits such as 046d", value);
        return 0;
}

static int check_pci(const char *value, Error *ret_error) {
        /* The domain may be left out. */
        const char *rest = strlen(value) == 12 ? value + 5 : value;
        static const char pattern[] = "xxxx:xx:xx.x";
        bool ok = strlen(rest) == 7;

        for (size_t i = 0, skip = 12 - strlen(value); ok && value[i]; i++)
                ok = pattern[skip + i] == 'x' ? g_ascii_isxdigit(value[i])
                                              : value[i] == pattern[skip + i];
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no address of PCI such as 0000:01:00.0", value);
        return 0;
}

static int check_gputype(const char *value, Error *ret_error) {
        static const char *const words[] = { "physical", NULL };

        return check_one_of(value, words, ret_error);
}

/* A path of the host, or the name of a volume; which of them it is to be, check_disk() says. */
static int check_disk_source(const char *value, Error *ret_error) {
        return *value == '/' ? check_path(value, ret_error)
                             : name_check(NAME_VOLUME, value, ret_error);
}

static int check_disk_size(const char *value, Error *ret_error) {
        uint64_t unused;

        return size_parse(value, &unused, ret_error);
}

static int check_boolean(const char *value, Error *ret_error) {
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

static int check_disk(GVariant *options, Error *ret_error) {
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
                                 "only a routed nic has several addresses");
        return 0;
}

static int check_not_bridged(GVariant *options, bool routed, Error *ret_error) {
        const char *key;
        GVariantIter iter;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "security.") ||
                    (!routed && (g_str_equal(key, "ipv4.address") ||
                                 g_str_equal(key, "ipv6.address"))))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for nics on a network of type bridge", key);
        return 0;
}

static int check_nic(GVariant *options, Error *ret_error) {
        const char *network = config_get(options, "network");
        const char *nictype = config_get(options, "nictype");
        const char *parent = config_get(options, "parent");
        bool alone = nictype && g_str_equal(nictype, "p2p");
        bool routed = nictype && g_str_equal(nictype, "routed");
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
        if (r >= 0 && !routed)
                r = check_one_address(options, ret_error);
        if (r >= 0 && nictype && !g_str_equal(nictype, "bridged"))
                r = check_not_bridged(options, routed, ret_error);
        return r < 0 ? r : check_limits(options, "limits.ingress", "limits.egress", ret_error);
}

static int check_unix(GVariant *options, Error *ret_error) {
        if (!config_get(options, "source") && !config_get(options, "path"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it needs a \"source\" or a \"path\"");
        if (!!config_get(options, "major") != !!config_get(options, "minor"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"major\" and \"minor\" go together");
        return 0;
}

static int check_gpu(GVariant *options, Error *ret_error) {
        bool by_id = config_get(options, "id"), by_pci = config_get(options, "pci");
        bool by_model = config_get(options, "vendorid") || config_get(options, "productid");

        if (by_id + by_pci + by_model > 1)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a card is chosen by \"id\", by \"pci\", or by \"vendorid\" "
                                 "and \"productid\"");
        return 0;
}

static int check_hotplug(GVariant *options, Error *ret_error) {
        if (!config_get(options, "vendorid") && !config_get(options, "productid"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it needs a \"vendorid\" or a \"productid\"");
        return 0;
}

/* --- classes --- */

/* With its owner's credentials, and for his uid alone, a disk is his own affair. */
static Privilege privilege_of_disk(GVariant *options) {
        if (!config_get(options, "source"))
                return PRIVILEGE_USE;
        /* Of whoever owns the container; where it is another's, volumes_resolve() has said so. */
        if (config_get(options, "pool"))
                return config_get(options, "volatile.owner") ? PRIVILEGE_HOST : PRIVILEGE_USE;
        if (config_get(options, "shift") || config_get(options, "recursive") ||
            config_get(options, "propagation"))
                return PRIVILEGE_HOST;
        return PRIVILEGE_OWN_FILES;
}

/* Without its guards it could be any of its neighbours. */
static Privilege privilege_of_nic(GVariant *options) {
        static const char *const guards[] = {
                "security.mac_filtering", "security.ipv4_filtering", "security.ipv6_filtering",
        };

        if (!device_get_network(options))
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
static Privilege privilege_of_unix_char(GVariant *options) {
        static const char *const known[] = { "/dev/fuse", "/dev/kvm", "/dev/net/tun", NULL };
        const char *source = config_get(options, "source") ?: config_get(options, "path");

        if (config_get(options, "major") || !source ||
            !(g_strv_contains(known, source) || is_render_node(source)))
                return PRIVILEGE_HOST;
        return PRIVILEGE_KERNEL_SURFACE;
}

/* With the other nodes of a card comes what the host's screens show. */
static Privilege privilege_of_gpu(GVariant *options) {
        return device_get_boolean(options, "render", false) ? PRIVILEGE_KERNEL_SURFACE
                                                            : PRIVILEGE_HOST;
}

static Privilege privilege_of_host_device(GVariant *options) {
        return PRIVILEGE_HOST;
}

static Privilege privilege_of_none(GVariant *options) {
        return PRIVILEGE_USE;
}

/* --- the table --- */

static const DeviceOption disk_options[] = {
        { "path", "path", check_path, true, "where it is inside; / for the root disk" },
        { "pool", "name", check_pool, .help = "storage pool of the root disk, or of a volume" },
        { "size", "size", check_disk_size,
          .help = "how much the root disk may hold (default the pool's volume.size)" },
        { "source", "path or volume", check_disk_source,
          .help = "file or directory of the host, opened as the container's owner and with his "
                  "rights; with pool the name of a volume, which shows the ids of the container" },
        { "readonly", "boolean", check_boolean, .help = "nothing can be written through it" },
        { "recursive", "boolean", check_boolean, .help = "with what is mounted below the source" },
        { "propagation", "private|slave|shared", mount_propagation_check,
          .help = "slave, shared: what the host mounts below the source later comes in (default "
                  "private)" },
        { "required", "boolean", check_boolean,
          .help = "false: the container starts without it when the source is not there" },
        { "optional", "boolean", check_boolean, .help = "the opposite of required, for old times" },
        { "shift", "boolean", check_boolean,
          .help = "opened as root: true shows ids as they are on disk, false as nobody's" },
        { "raw.mount.options", "words", mount_options_check,
          .help = "options of mount(8) that take something away, such as noexec,noatime" },
        { "limits.read", "size or iops", rate_check_disk,
          .help = "most that is read in a second, such as 10MB or 500iops; of the block devices "
                  "that the filesystem is on, for this container" },
        { "limits.write", "size or iops", rate_check_disk,
          .help = "most that is written in a second" },
        { "limits.max", "size or iops", rate_check_disk, .help = "both of these" },
        { NULL },
};

static const DeviceOption nic_options[] = {
        { "network", "name", check_network, .help = "managed network that it is on" },
        { "nictype", "bridged|p2p|macvlan|ipvlan|physical|routed", check_nictype,
          .help = "how it is connected, where it is on no managed network" },
        { "parent", "name", check_interface, .help = "bridge or interface of the host" },
        { "name", "name", check_interface, .help = "name inside (default eth0, eth1, ...)" },
        { "hwaddr", "MAC address", check_hwaddr,
          .help = "Ethernet address (default a random one)" },
        { "host_name", "name", check_interface, .help = "name of the host's end" },
        { "mtu", "integer", check_nic_mtu, .help = "MTU (default the parent's)" },
        { "mode", "l2|l3|l3s", check_mode_ipvlan, .help = "mode of ipvlan (default l3s)" },
        { "ipv4.address", "IPv4 address", nic_check_addresses_ipv4,
          .help = "address on a network of type bridge, none for no IPv4 (default one that is "
                  "chosen once); routed: one or several, with commas between" },
        { "ipv6.address", "IPv6 address", nic_check_addresses_ipv6,
          .help = "the same for IPv6, where the network has ipv6.dhcp.stateful (default one that "
                  "follows from hwaddr); routed: one or several" },
        { "ipv4.gateway", "auto|none", nic_check_gateway,
          .help = "routed: whether all else is reached by it (default auto)" },
        { "ipv6.gateway", "auto|none", nic_check_gateway, .help = "the same for IPv6" },
        { "ipv4.host_address", "IPv4 address", nic_check_host_address_ipv4,
          .help = "routed: address of the host's end (default " NIC_GATEWAY_IPV4 ")" },
        { "ipv6.host_address", "IPv6 address", nic_check_host_address_ipv6,
          .help = "the same for IPv6 (default " NIC_GATEWAY_IPV6 ")" },
        { "ipv4.host_table", "integer", nic_check_table,
          .help = "routed: table of the host that has the routes as well" },
        { "ipv6.host_table", "integer", nic_check_table, .help = "the same for IPv6" },
        { "ipv4.routes", "subnets", nic_check_routes_ipv4,
          .help = "routed and p2p: networks that the host reaches by this nic, with commas "
                  "between" },
        { "ipv6.routes", "subnets", nic_check_routes_ipv6, .help = "the same for IPv6" },
        { "security.mac_filtering", "boolean", check_boolean,
          .help = "it sends from its own Ethernet address alone (default true on a network of type "
                  "bridge)" },
        { "security.ipv4_filtering", "boolean", check_boolean,
          .help = "it sends from its own IPv4 address alone, and no answers of DHCP (default true "
                  "where the network has addresses)" },
        { "security.ipv6_filtering", "boolean", check_boolean,
          .help = "the same for IPv6, and no router advertisements" },
        { "security.port_isolation", "boolean", check_boolean,
          .help = "it reaches no others that are isolated (default false)" },
        { "limits.ingress", "rate", rate_check_network,
          .help = "most that reaches the container in a second, such as 100Mbit" },
        { "limits.egress", "rate", rate_check_network,
          .help = "most that comes from the container in a second" },
        { "limits.max", "rate", rate_check_network, .help = "both of these" },
        { NULL },
};

static const DeviceOption unix_options[] = {
        { "source", "path", check_source, .help = "device of the host (default the path)" },
        { "path", "path", check_source, .help = "where it is inside (default the source)" },
        { "major", "integer", check_major, .help = "major number, instead of a source" },
        { "minor", "integer", check_minor, .help = "minor number, instead of a source" },
        { "uid", "integer", check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", check_id, .help = "group inside (default 0)" },
        { "mode", "octal", check_mode, .help = "permissions (default 0660)" },
        { "required", "boolean", check_boolean,
          .help = "false: it comes and goes as it does on the host" },
        { NULL },
};

static const DeviceOption usb_options[] = {
        { "vendorid", "hexadecimal", check_hardware_id,
          .help = "vendor of the hardware, such as 046d (default any)" },
        { "productid", "hexadecimal", check_hardware_id,
          .help = "product of that vendor (default any)" },
        { "uid", "integer", check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", check_id, .help = "group inside (default 0)" },
        { "mode", "octal", check_mode, .help = "permissions (default 0660)" },
        { "required", "boolean", check_boolean,
          .help = "true: the container does not start while it is not plugged in" },
        { NULL },
};

static const DeviceOption gpu_options[] = {
        { "gputype", "physical", check_gputype, .help = "what is shown: the card itself" },
        { "id", "integer", check_minor, .help = "number of the card: 0 for /dev/dri/card0" },
        { "pci", "PCI address", check_pci, .help = "where the card is, such as 0000:01:00.0" },
        { "vendorid", "hexadecimal", check_hardware_id,
          .help = "vendor of the card, such as 8086 (default any)" },
        { "productid", "hexadecimal", check_hardware_id,
          .help = "product of that vendor (default any)" },
        { "render", "boolean", check_boolean,
          .help = "true: only what it takes to compute, and not to drive screens" },
        { "uid", "integer", check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", check_id, .help = "group inside (default 0)" },
        { "mode", "octal", check_mode, .help = "permissions (default 0660)" },
        { NULL },
};

static const DeviceOption proxy_options[] = {
        { "listen", "address", proxy_check_address, true,
          "where it listens: tcp:ADDRESS:PORTS, udp:ADDRESS:PORTS, unix:/PATH or unix:@NAME" },
        { "connect", "address", proxy_check_address, true, "where what comes there leads" },
        { "bind", "host|instance", proxy_check_bind,
          .help = "where it listens (default host); it connects to the other" },
        { "proxy_protocol", "boolean", check_boolean,
          .help = "a line of the PROXY protocol tells the target who calls" },
        { "uid", "integer", check_id, .help = "owner of a Unix socket (default 0)" },
        { "gid", "integer", check_id, .help = "group of a Unix socket (default 0)" },
        { "mode", "octal", check_mode, .help = "permissions of a Unix socket (default 0644)" },
        { "security.uid", "integer", check_id,
          .help = "uid that connects (default inside root for Unix sockets, else nobody; on the "
                  "host the container's owner)" },
        { "security.gid", "integer", check_id, .help = "gid that connects" },
        { NULL },
};

static const DeviceOption none_options[] = {
        { NULL },
};

static const DeviceType table[] = {
        { "disk", disk_options, check_disk, privilege_of_disk,
          "the root disk, a volume, or a file or directory of the host" },
        { "gpu", gpu_options, check_gpu, privilege_of_gpu, "graphics cards" },
        { "nic", nic_options, check_nic, privilege_of_nic, "a network interface" },
        { "none", none_options, NULL, privilege_of_none,
          "nothing: hides a device of that name that a profile brings" },
        { "proxy", proxy_options, proxy_check, proxy_privilege,
          "connections between host and container" },
        { "unix-block", unix_options, check_unix, privilege_of_host_device, "a block device" },
        { "unix-char", unix_options, check_unix, privilege_of_unix_char, "a character device" },
        { "unix-hotplug", usb_options, check_hotplug, privilege_of_host_device,
          "what the kernel makes of USB hardware: serial ports, cameras, disks" },
        { "usb", usb_options, NULL, privilege_of_host_device, "USB hardware itself" },
        { NULL },
};

const DeviceType *device_type_table(void) {
        return table;
}
