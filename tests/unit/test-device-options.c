/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every option of every type of device: a value that it takes, one that it does not, and where it
 * has no place. An option of the table that is not here fails the test.
 */

#include <stdio.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "tests/unit/classes.h"
#include "tests/unit/test.h"

#define ROOT "'path': '/', 'pool': 'p'"
#define FILE "'path': '/mnt', 'source': '/srv'"
#define BRIDGED "'network': 'br0'"
#define ROUTED4 "'nictype': 'routed', 'ipv4.address': '10.0.0.5'"
#define ROUTED6 "'nictype': 'routed', 'ipv6.address': '2001:db8::5'"
#define MACVLAN "'nictype': 'macvlan', 'parent': 'eth0'"
#define BRIDGE "'nictype': 'bridged', 'parent': 'br0'"
#define IPVLAN "'nictype': 'ipvlan', 'parent': 'eth0'"
#define TCP "'listen': 'tcp:1.2.3.4:80', 'connect': 'tcp:1.2.3.4:81'"
#define UNIX "'listen': 'unix:/run/s', 'connect': 'tcp:1.2.3.4:81'"
#define NODE "'path': '/dev/x'"
#define USB "'vendorid': '046d'"

/* `base` has all that goes with a good value; `elsewhere` is fine by itself and refuses it. */
typedef struct Case {
        const char *type, *option, *base, *good, *bad, *elsewhere;
} Case;

static const Case cases[] = {
        { "disk", "path", "'source': '/srv'", "mnt/data", "../x", NULL },
        { "disk", "pool", "'path': '/'", "p", "a/b", FILE },
        { "disk", "size", ROOT, "10GiB", "big", FILE },
        { "disk", "source", "'path': '/mnt'", "/srv", "/a/../b", ROOT },
        { "disk", "readonly", FILE, "true", "perhaps", ROOT },
        { "disk", "recursive", FILE, "true", "perhaps", ROOT },
        { "disk", "propagation", FILE, "rslave", "unbindable", ROOT },
        { "disk", "required", FILE, "false", "perhaps", ROOT },
        { "disk", "optional", FILE, "true", "perhaps", ROOT },
        { "disk", "shift", FILE, "true", "perhaps", ROOT },
        { "disk", "raw.mount.options", FILE, "noexec,noatime", "suid", ROOT },
        { "disk", "limits.read", FILE, "10MB", "fast", FILE ", 'limits.max': '1MB'" },
        { "disk", "limits.write", ROOT, "500iops", "fast", FILE ", 'limits.max': '1MB'" },
        { "disk", "limits.max", FILE, "10MB", "fast", FILE ", 'limits.read': '1MB'" },
        { "gpu", "gputype", "", "physical", "sriov", NULL },
        { "gpu", "id", "", "0", "card0", "'pci': '0000:01:00.0'" },
        { "gpu", "pci", "", "01:00.0", "1:0.0", "'vendorid': '8086'" },
        { "gpu", "vendorid", "", "8086", "0x8086", "'id': '0'" },
        { "gpu", "productid", "'vendorid': '8086'", "12ab", "12ag", "'id': '0'" },
        { "gpu", "render", "", "true", "perhaps", NULL },
        { "gpu", "uid", "", "1000", "-1", NULL },
        { "gpu", "gid", "", "44", "video", NULL },
        { "gpu", "mode", "", "0666", "0999", NULL },
        { "nic", "network", "", "br0", "a/b", "'nictype': 'p2p'" },
        { "nic", "nictype", "", "p2p", "sriov", BRIDGED },
        { "nic", "parent", "'nictype': 'macvlan'", "eth0", "a b", BRIDGED },
        { "nic", "name", BRIDGED, "lan0", "much-too-long-name", NULL },
        { "nic", "hwaddr", BRIDGED, "00:16:3e:01:02:03", "01:00:5e:00:00:01", NULL },
        { "nic", "host_name", BRIDGED, "veth7", "a/b", NULL },
        { "nic", "mtu", BRIDGED, "1400", "12", NULL },
        { "nic", "mode", "'nictype': 'ipvlan', 'parent': 'eth0'", "l2", "l4", BRIDGED },
        { "nic", "vlan", MACVLAN, "10", "4095", BRIDGED },
        { "nic", "vlan.tagged", BRIDGE, "10,20-29", "29-20", MACVLAN },
        { "nic", "gvrp", MACVLAN ", 'vlan': '10'", "true", "perhaps", MACVLAN },
        { "nic", "ipv4.address", BRIDGED, "10.0.0.5", "10.0.0.0.5", "'nictype': 'p2p'" },
        { "nic", "ipv6.address", BRIDGED, "2001:db8::5", "10.0.0.5", "'nictype': 'p2p'" },
        { "nic", "ipv4.gateway", ROUTED4, "none", "10.0.0.1", BRIDGED },
        { "nic", "ipv6.gateway", ROUTED6, "auto", "fe80::1", BRIDGED },
        { "nic", "ipv4.host_address", ROUTED4, "169.254.0.2", "224.0.0.1", BRIDGED },
        { "nic", "ipv6.host_address", ROUTED6, "fe80::2", "ff02::1", BRIDGED },
        { "nic", "ipv4.host_table", ROUTED4, "100", "main", BRIDGED },
        { "nic", "ipv6.host_table", ROUTED6, "100", "0", BRIDGED },
        { "nic", "ipv4.routes", "'nictype': 'p2p'", "10.1.0.0/16", "10.1.0.1/16", BRIDGED },
        { "nic", "ipv6.routes", ROUTED6, "2001:db8:1::/48", "2001:db8::1/48", BRIDGED },
        { "nic", "security.mac_filtering", BRIDGED, "false", "perhaps", "'nictype': 'p2p'" },
        { "nic", "security.ipv4_filtering", BRIDGED, "false", "perhaps", "'nictype': 'p2p'" },
        { "nic", "security.ipv6_filtering", BRIDGED, "false", "perhaps", "'nictype': 'p2p'" },
        { "nic", "security.port_isolation", BRIDGED, "true", "perhaps", "'nictype': 'p2p'" },
        { "nic", "limits.ingress", BRIDGED, "10Mbit", "10", BRIDGED ", 'limits.max': '1Mbit'" },
        { "nic", "limits.egress", ROUTED4, "10Mbit", "10", BRIDGED ", 'limits.max': '1Mbit'" },
        { "nic", "limits.max", "'nictype': 'p2p'", "10Mbit", "10",
          "'nictype': 'physical', 'parent': 'eth0'" },
        { "proxy", "listen", "'connect': 'tcp:1.2.3.4:80'", "tcp:0.0.0.0:80", "tcp:x:80", NULL },
        { "proxy", "connect", "'listen': 'tcp:1.2.3.4:80'", "tcp:[::1]:80", "tcp:1.2.3.4", NULL },
        { "proxy", "bind", TCP, "instance", "inside", NULL },
        { "proxy", "nat", "'listen': 'tcp:192.0.2.1:80', 'connect': 'tcp:10.0.0.2:80'", "true",
          "perhaps", NULL },
        { "proxy", "proxy_protocol", TCP, "true", "perhaps", NULL },
        { "proxy", "uid", UNIX, "1000", "root", NULL },
        { "proxy", "gid", UNIX, "1000", "-1", NULL },
        { "proxy", "mode", UNIX, "0600", "rw", NULL },
        { "proxy", "security.uid", TCP, "1000", "nobody", NULL },
        { "proxy", "security.gid", TCP, "1000", "4294967295", NULL },
        { "unix-block", "source", "'path': '/dev/x'", "/dev/sda", "sda", NULL },
        { "unix-block", "path", "'source': '/dev/x'", "/dev/sda", "/dev/../sda", NULL },
        { "unix-block", "major", NODE ", 'minor': '1'", "8", "4096", NULL },
        { "unix-block", "minor", NODE ", 'major': '8'", "0", "1048576", NULL },
        { "unix-block", "uid", NODE, "1000", "root", NULL },
        { "unix-block", "gid", NODE, "6", "disk", NULL },
        { "unix-block", "mode", NODE, "660", "u+w", NULL },
        { "unix-block", "required", NODE, "false", "perhaps", NULL },
        { "unix-char", "source", "'path': '/dev/x'", "/dev/ttyS0", "ttyS0", NULL },
        { "unix-char", "path", "'source': '/dev/x'", "/dev/ttyS0", "", NULL },
        { "unix-char", "major", NODE ", 'minor': '1'", "8", "-8", NODE },
        { "unix-char", "minor", NODE ", 'major': '8'", "0", "x", NODE },
        { "unix-char", "uid", NODE, "1000", "1e3", NULL },
        { "unix-char", "gid", NODE, "20", "", NULL },
        { "unix-char", "mode", NODE, "0600", "4755", NULL },
        { "unix-char", "required", NODE, "false", "perhaps", NULL },
        { "unix-hotplug", "vendorid", "", "046D", "46d", NULL },
        { "unix-hotplug", "productid", "", "c52b", "c52bb", NULL },
        { "unix-hotplug", "uid", USB, "1000", "x", NULL },
        { "unix-hotplug", "gid", USB, "20", "x", NULL },
        { "unix-hotplug", "mode", USB, "0600", "x", NULL },
        { "unix-hotplug", "required", USB, "true", "x", NULL },
        { "usb", "vendorid", "", "046d", "", NULL },
        { "usb", "productid", "", "c52b", "*", NULL },
        { "usb", "uid", "", "1000", "x", NULL },
        { "usb", "gid", "", "20", "x", NULL },
        { "usb", "mode", "", "0600", "x", NULL },
        { "usb", "required", "", "true", "x", NULL },
};

static int check(const Case *c, const char *base, const char *value, Error *ret_error) {
        g_autofree char *text = g_strdup_printf("{'dev': {'type': '%s'%s%s, '%s': '%s'}}", c->type,
                                                *base ? ", " : "", base, c->option, value);
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) devices = g_variant_parse(DEVICES_TYPE, text, NULL, NULL, &error);

        g_assert_no_error(error);
        return devices_check(devices, ret_error);
}

TEST(each_is_here) {
        for (const DeviceType *type = device_type_table(); type->name; type++)
                for (const DeviceOption *o = type->options; o->name; o++) {
                        unsigned found = 0;

                        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                                found += g_str_equal(cases[i].type, type->name) &&
                                         g_str_equal(cases[i].option, o->name);
                        if (found != 1)
                                g_error("option \"%s\" of type %s has %u rows in " __FILE__
                                        ", wanted is one", o->name, type->name, found);
                }
}

/* Of the device with a good value of it. */
TEST(classes_of_options_are_those_of_the_file) {
        unsigned wrong = 0;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                g_autofree char *name = g_strdup_printf("%s.%s", c->type, c->option);
                g_autofree char *text = g_strdup_printf("{'type': '%s'%s%s, '%s': '%s'}", c->type,
                                                        *c->base ? ", " : "", c->base, c->option,
                                                        c->good);
                g_autoptr(GVariant) options = g_variant_parse(G_VARIANT_TYPE("a{ss}"), text, NULL,
                                                              NULL, NULL);
                const char *class = privilege_to_string(device_privilege(options));
                const char *const *words = classes_find("device", name);

                if (words && g_str_equal(words[0], class))
                        continue;
                printf("tests/unit/classes should say: device %s %s\n", name, class);
                wrong++;
        }
        g_assert_cmpuint(wrong, ==, 0);
        g_assert_cmpuint(classes_count("device"), ==, ELEMENTSOF(cases));
}

TEST(good_values_are_taken) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                if (check(&cases[i], cases[i].base, cases[i].good, &error) < 0)
                        g_error("%s %s=%s: %s", cases[i].type, cases[i].option, cases[i].good,
                                error.message);
        }
}

/* By name, so that one knows which it is. */
TEST(bad_values_are_refused) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                if (check(&cases[i], cases[i].base, cases[i].bad, &error) >= 0)
                        g_error("%s %s=%s was taken", cases[i].type, cases[i].option,
                                cases[i].bad);
                if (!strstr(error.message, cases[i].option))
                        g_error("%s %s=%s: \"%s\" does not name it", cases[i].type,
                                cases[i].option, cases[i].bad, error.message);
        }
}

static const DeviceOption *option_of(const Case *c) {
        for (const DeviceType *type = device_type_table(); type->name; type++)
                for (const DeviceOption *o = type->options; o->name; o++)
                        if (g_str_equal(type->name, c->type) && g_str_equal(o->name, c->option))
                                return o;
        g_assert_not_reached();
}

/* See test-config-key.c. */
TEST(booleans_and_integers_have_one_reading) {
        static const char *const odd[] = { "", " ", "true ", " true", "0 ", " 0", "0\n", "yes ",
                                           "+1", "0x1", "1.0", "y", "tru" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                const char *type = option_of(c)->type;

                if (!g_str_equal(type, "boolean") && !g_str_equal(type, "integer"))
                        continue;
                for (size_t k = 0; k < ELEMENTSOF(odd); k++) {
                        g_auto(Error) error = ERROR_INIT;

                        if (check(c, c->base, odd[k], &error) >= 0)
                                g_error("%s %s takes \"%s\"", c->type, c->option, odd[k]);
                }
                if (g_str_equal(type, "boolean") && (check(c, c->base, "True", NULL) < 0) !=
                                                            (check(c, c->base, "true", NULL) < 0))
                        g_error("%s %s takes only one of true and True", c->type, c->option);
        }
}

TEST(what_goes_together_is_looked_at) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                if (cases[i].elsewhere &&
                    check(&cases[i], cases[i].elsewhere, cases[i].good, &error) >= 0)
                        g_error("%s %s=%s was taken with %s", cases[i].type, cases[i].option,
                                cases[i].good, cases[i].elsewhere);
        }
}

TEST_MAIN()
