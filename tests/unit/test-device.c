/* SPDX-License-Identifier: Apache-2.0 */

/* The table of devices: what is accepted, what is refused and why, and of which class it is. */

#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/nic-vlan.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static GVariant *parse(const char *options) {
        g_autofree char *text = g_strdup_printf("{'dev': %s}", options);
        g_autoptr(GError) error = NULL;
        GVariant *value = g_variant_parse(DEVICES_TYPE, text, NULL, NULL, &error);

        g_assert_no_error(error);
        return value;
}

TEST(the_table_is_whole) {
        for (const DeviceType *type = device_type_table(); type->name; type++) {
                g_assert_nonnull(type->privilege);
                g_assert_nonnull(type->help);
                for (const DeviceOption *o = type->options; o->name; o++) {
                        g_assert_nonnull(o->check);
                        g_assert_nonnull(o->type);
                        g_assert_nonnull(o->help);
                        for (const DeviceOption *other = type->options; other < o; other++)
                                g_assert_cmpstr(other->name, !=, o->name);
                }
        }
}

typedef struct Acceptance {
        const char *options;
        Privilege privilege;
        const char *target;
} Acceptance;

static void check_accepted(const Acceptance *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) devices = parse(cases[i].options), options = NULL;
                g_auto(Error) error = ERROR_INIT;

                if (devices_check(devices, &error) < 0)
                        g_error("%s: %s", cases[i].options, error.message);
                options = devices_get(devices, "dev");
                if (devices_privilege(devices) != cases[i].privilege)
                        g_error("%s is of another class", cases[i].options);
                g_assert_cmpstr(device_get_target(options), ==, cases[i].target);
        }
}

TEST(accepted) {
        static const Acceptance cases[] = {
                { "{'type': 'disk', 'path': '/', 'pool': 'p'}", PRIVILEGE_USE, NULL },
                { "{'type': 'disk', 'path': 'var/git', 'source': '/var/git'}", PRIVILEGE_OWN_FILES,
                  "var/git" },
                { "{'type': 'disk', 'path': '//mnt', 'source': '/m', 'readonly': 'true'}",
                  PRIVILEGE_OWN_FILES, "mnt" },
                { "{'type': 'disk', 'path': '/mnt', 'source': '/m', 'shift': 'true'}",
                  PRIVILEGE_HOST, "mnt" },
                { "{'type': 'disk', 'path': '/mnt', 'source': '/m', 'shift': 'false'}",
                  PRIVILEGE_HOST, "mnt" },
                { "{'type': 'disk', 'path': '/mnt', 'source': '/m', 'recursive': 'true'}",
                  PRIVILEGE_HOST, "mnt" },
                { "{'type': 'unix-char', 'path': '/dev/net/tun'}", PRIVILEGE_KERNEL_SURFACE,
                  "dev/net/tun" },
                { "{'type': 'unix-char', 'source': '/dev/fuse', 'path': '/dev/f'}",
                  PRIVILEGE_KERNEL_SURFACE, "dev/f" },
                { "{'type': 'unix-char', 'path': '/dev/fuse', 'major': '1', 'minor': '1'}",
                  PRIVILEGE_HOST, "dev/fuse" },
                { "{'type': 'unix-char', 'path': '/dev/mem'}", PRIVILEGE_HOST, "dev/mem" },
                { "{'type': 'unix-block', 'path': '/dev/sda', 'mode': '0600'}", PRIVILEGE_HOST,
                  "dev/sda" },
                { "{'type': 'unix-char', 'path': '/dev/dri/renderD128'}", PRIVILEGE_KERNEL_SURFACE,
                  "dev/dri/renderD128" },
                { "{'type': 'unix-char', 'path': '/dev/dri/renderD'}", PRIVILEGE_HOST,
                  "dev/dri/renderD" },
                { "{'type': 'unix-char', 'path': '/dev/dri/card0'}", PRIVILEGE_HOST,
                  "dev/dri/card0" },
                { "{'type': 'usb'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'usb', 'vendorid': '046D', 'productid': 'c52b', 'required': 'true', "
                  "'uid': '1', 'gid': '2', 'mode': '0600'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'unix-hotplug', 'vendorid': '046d'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'gpu'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'gpu', 'gputype': 'physical', 'id': '0'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'gpu', 'pci': '0000:0f:00.1', 'render': 'true'}",
                  PRIVILEGE_KERNEL_SURFACE, NULL },
                { "{'type': 'gpu', 'pci': '0f:00.1', 'render': 'false'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'none'}", PRIVILEGE_USE, NULL },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'raw.mount.options': "
                  "'noexec,noatime'}", PRIVILEGE_OWN_FILES, "a" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'limits.read': '5iops', "
                  "'limits.write': '1.5MiB'}", PRIVILEGE_USE, NULL },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0:80', 'connect': 'tcp:127.0.0.1:80'}",
                  PRIVILEGE_HOST, NULL },
                { "{'type': 'proxy', 'listen': 'unix:@x', 'connect': 'unix:/run/x', 'bind': "
                  "'instance'}", PRIVILEGE_OWN_FILES, NULL },
                { "{'type': 'proxy', 'listen': 'tcp:127.0.0.1:80', 'connect': 'tcp:[::1]:80', "
                  "'bind': 'instance', 'security.uid': '0'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'proxy', 'listen': 'udp:[::]:1-512', 'connect': 'udp:10.0.0.2:9'}",
                  PRIVILEGE_HOST, NULL },
        };

        check_accepted(cases, ELEMENTSOF(cases));
}

TEST(accepted_nics) {
        static const Acceptance cases[] = {
                { "{'type': 'nic', 'network': 'br0'}", PRIVILEGE_USE, NULL },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'br0'}", PRIVILEGE_USE, NULL },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'eth0'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'physical', 'parent': 'eth0'}", PRIVILEGE_HOST,
                  NULL },
                { "{'type': 'nic', 'nictype': 'p2p'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'eth0', 'mode': 'l2'}",
                  PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5, 10.0.0.6', "
                  "'parent': 'eth0', 'ipv6.address': 'none', 'ipv4.gateway': 'auto', "
                  "'ipv4.host_address': '169.254.0.2', 'ipv4.host_table': '100', 'ipv4.routes': "
                  "'10.1.0.0/16,10.2.0.0/16'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'eth0', 'vlan': '4094', "
                  "'gvrp': 'true'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5', "
                  "'parent': 'eth0', 'vlan': '1'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'br0', 'vlan': 'none'}",
                  PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'br0', 'vlan.tagged': "
                  "'1, 20-29,4094'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'eth0', 'ipv4.gateway': 'none', "
                  "'ipv4.address': '10.0.0.5,10.0.0.6', 'ipv6.address': '2001:db8::5', "
                  "'ipv6.gateway': 'auto'}", PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'eth0', 'mode': 'l2', "
                  "'ipv4.address': '10.0.0.5/16,10.0.0.6', 'ipv4.gateway': '10.0.0.1', "
                  "'ipv6.gateway': 'fe80::1', 'ipv6.address': '2001:db8::5/128'}", PRIVILEGE_HOST,
                  NULL },
                { "{'type': 'nic', 'nictype': 'p2p', 'ipv6.routes': '2001:db8::/32'}",
                  PRIVILEGE_HOST, NULL },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '100Mbit'}", PRIVILEGE_USE,
                  NULL },
                { "{'type': 'nic', 'nictype': 'p2p', 'limits.ingress': '1kbit', 'limits.egress': "
                  "'14Gibit'}", PRIVILEGE_HOST, NULL },
        };

        check_accepted(cases, ELEMENTSOF(cases));
}

TEST(which_follow_the_host) {
        static const struct {
                const char *options;
                bool nodes, follows, required;
        } cases[] = {
                { "{'type': 'usb'}", true, true, false },
                { "{'type': 'usb', 'required': 'true'}", true, true, true },
                { "{'type': 'unix-hotplug', 'vendorid': '046d'}", true, true, false },
                { "{'type': 'gpu'}", true, true, true },
                { "{'type': 'unix-char', 'path': '/dev/x'}", true, false, true },
                { "{'type': 'unix-char', 'path': '/dev/x', 'required': 'false'}", true, true,
                  false },
                /* There is nothing to wait for. */
                { "{'type': 'unix-char', 'path': '/dev/x', 'major': '1', 'minor': '3', "
                  "'required': 'false'}", true, false, false },
                { "{'type': 'disk', 'path': '/x', 'source': '/x', 'required': 'false'}", false,
                  false, false },
                { "{'type': 'disk', 'path': '/x', 'source': '/x', 'optional': 'true'}", false,
                  false, false },
                { "{'type': 'none'}", false, false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) devices = parse(cases[i].options), options = NULL;

                options = devices_get(devices, "dev");
                g_assert_cmpint(device_has_nodes(options), ==, cases[i].nodes);
                g_assert_cmpint(device_follows_host(options), ==, cases[i].follows);
                g_assert_cmpint(device_is_required(options), ==, cases[i].required);
        }
}

typedef struct Refusal {
        const char *options, *text;
} Refusal;

static void check_refused(const Refusal *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) devices = parse(cases[i].options);
                g_auto(Error) error = ERROR_INIT;

                if (devices_check(devices, &error) >= 0)
                        g_error("%s was accepted", cases[i].options);
                if (!strstr(error.message, cases[i].text))
                        g_error("%s: \"%s\" does not tell of \"%s\"", cases[i].options,
                                error.message, cases[i].text);
        }
}

/* Names of links have 15 bytes, and two VLANs never have the same. */
TEST(links_of_vlans) {
        g_autofree char *plain = nic_vlan_link_name("enp3s0", "10");
        g_autofree char *longest = nic_vlan_link_name("0123456789", "4094");
        g_autofree char *one = nic_vlan_link_name("0123456789a", "4094");
        g_autofree char *other = nic_vlan_link_name("0123456789b", "4094");

        g_assert_cmpstr(plain, ==, "enp3s0.10");
        g_assert_cmpstr(longest, ==, "0123456789.4094");
        g_assert_cmpuint(strlen(one), <=, 15);
        g_assert_cmpuint(strlen(other), <=, 15);
        g_assert_cmpstr(one, !=, other);
}

TEST(refused_nics) {
        static const Refusal cases[] = {
                { "{'type': 'nic'}", "either" },
                { "{'type': 'nic', 'network': 'br0', 'nictype': 'bridged'}", "either" },
                { "{'type': 'nic', 'network': 'br0', 'parent': 'eth0'}", "parent" },
                { "{'type': 'nic', 'nictype': 'macvlan'}", "needs a \"parent\"" },
                { "{'type': 'nic', 'nictype': 'p2p', 'parent': 'eth0'}", "no \"parent\"" },
                { "{'type': 'nic', 'nictype': 'sriov', 'parent': 'eth0'}", "sriov" },
                { "{'type': 'nic', 'network': 'br0', 'mode': 'l2'}", "ipvlan" },
                { "{'type': 'nic', 'network': 'br0', 'hwaddr': '01:00:5e:00:00:01'}", "Ethernet" },
                { "{'type': 'nic', 'network': 'br0', 'hwaddr': '00:16:3e:00:00'}", "Ethernet" },
                { "{'type': 'nic', 'network': 'br0', 'mtu': '67'}", "mtu" },
                { "{'type': 'nic', 'network': 'br0', 'name': 'a/b'}", "name" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.address': '10.0.0.5/24'}", "IPv4" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.address': '224.0.0.5'}", "IPv4" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.address': 'fd42::5'}", "IPv4" },
                { "{'type': 'nic', 'network': 'br0', 'ipv6.address': '10.0.0.5'}", "IPv6" },
                { "{'type': 'nic', 'network': 'br0', 'ipv6.address': 'fd42::5,a'}", "IPv6" },
                { "{'type': 'nic', 'nictype': 'p2p', 'ipv4.address': '10.0.0.5'}", "type bridge" },
                { "{'type': 'nic', 'nictype': 'routed'}", "ipv4.address" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': 'none'}", "ipv4.address" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5,'}", "IPv4" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5/24'}", "IPv4" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv6.address': '10.0.0.5'}", "IPv6" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5', "
                  "'ipv4.host_address': '10.0.0.1,10.0.0.2'}", "one only" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5', "
                  "'ipv4.gateway': '10.0.0.1'}", "neither auto nor none" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5', "
                  "'ipv4.host_table': '0'}", "table" },
                { "{'type': 'nic', 'nictype': 'routed', 'ipv4.address': '10.0.0.5', "
                  "'ipv4.routes': '10.1.0.1/16'}", "IPv4" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.address': '10.0.0.5,10.0.0.6'}",
                  "several" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.gateway': 'none'}", "routed" },
                { "{'type': 'nic', 'network': 'br0', 'ipv4.routes': '10.1.0.0/16'}", "p2p" },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'x', 'ipv4.address': "
                  "'10.0.0.5'}", "bridge" },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'x', 'vlan': '0'}", "4094" },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'x', 'vlan': 'none'}",
                  "bridged only" },
                { "{'type': 'nic', 'nictype': 'p2p', 'vlan': '10'}", "\"parent\"" },
                { "{'type': 'nic', 'network': 'br0', 'vlan': '10'}", "\"parent\"" },
                { "{'type': 'nic', 'network': 'br0', 'vlan.tagged': '10'}", "type bridged" },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'x', 'vlan.tagged': ''}",
                  "vlan.tagged" },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'x', 'vlan.tagged': '1-2-3'}",
                  "vlan.tagged" },
                { "{'type': 'nic', 'nictype': 'bridged', 'parent': 'x', 'vlan': '10', 'gvrp': "
                  "'true'}", "not bridged" },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'x', 'ipv4.address': "
                  "'10.0.0.5/24'}", "IPv4" },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'x', 'ipv4.gateway': "
                  "'10.0.0.1'}", "mode l2" },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'x', 'mode': 'l2', "
                  "'ipv4.gateway': 'auto'}", "is an address" },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'x', 'mode': 'l2', "
                  "'ipv4.address': '10.0.0.5/33'}", "prefix" },
                { "{'type': 'nic', 'nictype': 'ipvlan', 'parent': 'x', 'ipv4.host_table': "
                  "'100'}", "routed" },
        };

        check_refused(cases, ELEMENTSOF(cases));
}

TEST(refused) {
        static const Refusal cases[] = {
                { "{'path': '/'}", "type" },
                { "{'type': 'teapot'}", "no device type \"teapot\"" },
                { "{'type': 'disk'}", "needs the option \"path\"" },
                { "{'type': 'disk', 'path': '/'}", "pool" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'source': '/x'}", "no \"source\"" },
                { "{'type': 'disk', 'path': '/mnt'}", "source" },
                { "{'type': 'disk', 'path': '/mnt', 'pool': 'p'}", "source" },
                { "{'type': 'disk', 'path': '/mnt', 'source': 'relative'}", "absolute" },
                { "{'type': 'disk', 'path': '../mnt', 'source': '/x'}", "\"..\"" },
                { "{'type': 'disk', 'path': 'a/../b', 'source': '/x'}", "\"..\"" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x/../y'}", "\"..\"" },
                { "{'type': 'disk', 'path': 'a\\nb', 'source': '/x'}", "control character" },
                { "{'type': 'disk', 'path': '', 'source': '/x'}", "no path" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'size': 'big'}", "size" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'size': '1GB'}", "root disk" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'readonly': 'perhaps'}",
                  "readonly" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'color': 'red'}",
                  "no option \"color\"" },
                { "{'type': 'unix-char'}", "source" },
                { "{'type': 'unix-char', 'path': '/dev/x', 'major': '1'}", "go together" },
                { "{'type': 'unix-char', 'path': '/dev/x', 'major': '4096', 'minor': '0'}",
                  "4095" },
                { "{'type': 'unix-char', 'path': '/dev/x', 'mode': '4755'}", "mode" },
                { "{'type': 'unix-char', 'path': '/dev/x', 'mode': '888'}", "mode" },
                { "{'type': 'unix-char', 'path': '/dev/x', 'uid': '-1'}", "uid" },
                { "{'type': 'none', 'path': 'x'}", "no option" },
                { "{'type': 'usb', 'vendorid': '46d'}", "four hexadecimal" },
                { "{'type': 'usb', 'productid': '0x6d'}", "four hexadecimal" },
                { "{'type': 'usb', 'path': '/dev/x'}", "no option" },
                { "{'type': 'unix-hotplug'}", "vendorid" },
                { "{'type': 'gpu', 'gputype': 'mig'}", "physical" },
                { "{'type': 'gpu', 'id': 'card0'}", "no number" },
                { "{'type': 'gpu', 'pci': '1:00.0'}", "no address" },
                { "{'type': 'gpu', 'pci': '000001:00.0'}", "no address" },
                { "{'type': 'gpu', 'pci': '0000:01:00:0'}", "no address" },
                { "{'type': 'gpu', 'pci': '0000:01:00.0', 'id': '0'}", "is chosen by" },
                { "{'type': 'gpu', 'vendorid': '8086', 'id': '0'}", "is chosen by" },
        };

        check_refused(cases, ELEMENTSOF(cases));
}

TEST(refused_rates_and_proxies) {
        static const Refusal cases[] = {
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'raw.mount.options': "
                  "'noexec,suid'}", "\"suid\" is no mount option" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'raw.mount.options': ''}",
                  "no mount option" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'raw.mount.options': "
                  "'noatime,relatime'}", "contradicts" },
                { "{'type': 'disk', 'path': 'a', 'source': '/x', 'propagation': 'slave,shared'}",
                  "none of private" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'propagation': 'slave'}",
                  "files of the host" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'required': 'false'}",
                  "not for the root disk" },
                { "{'type': 'disk', 'path': '/', 'pool': 'p', 'raw.mount.options': 'ro'}",
                  "not for the root disk" },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '100'}", "no rate" },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '17Gbit'}", "no rate" },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '1.5Mbit'}", "no rate" },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '99999999999999999999Mbit'}",
                  "no rate" },
                { "{'type': 'nic', 'network': 'br0', 'limits.max': '1Mbit', 'limits.egress': "
                  "'1Mbit'}", "does not go" },
                { "{'type': 'nic', 'nictype': 'macvlan', 'parent': 'x', 'limits.max': '1Mbit'}",
                  "end on the host" },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0:80'}", "needs the option \"connect\"" },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0', 'connect': 'tcp:1.2.3.4:1'}",
                  "no port" },
                { "{'type': 'proxy', 'listen': 'tcp:::1:80', 'connect': 'tcp:1.2.3.4:1'}",
                  "no address" },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0:0', 'connect': 'tcp:1.2.3.4:1'}",
                  "list of ports" },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0:1-', 'connect': 'tcp:1.2.3.4:1'}",
                  "list of ports" },
                { "{'type': 'proxy', 'listen': 'tcp:0.0.0.0:1-513', 'connect': 'tcp:1.2.3.4:1'}",
                  "512 ports" },
                { "{'type': 'proxy', 'listen': 'unix:x', 'connect': 'tcp:1.2.3.4:1'}",
                  "absolute path" },
                { "{'type': 'proxy', 'listen': 'tcp:1.2.3.4:1', 'connect': 'udp:1.2.3.4:1'}",
                  "datagrams" },
                { "{'type': 'proxy', 'listen': 'tcp:1.2.3.4:1', 'connect': 'tcp:0.0.0.0:1'}",
                  "connect to" },
                { "{'type': 'proxy', 'listen': 'sctp:1.2.3.4:1', 'connect': 'tcp:1.2.3.4:1'}",
                  "does not begin" },
        };

        check_refused(cases, ELEMENTSOF(cases));
}

TEST_MAIN()
