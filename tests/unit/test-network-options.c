/* SPDX-License-Identifier: Apache-2.0 */

/* Keys of networks, read together. */

#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/network-options.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static GVariant *parse(const char *text) {
        g_autofree char *typed = g_strconcat("@a{ss} ", text, NULL);

        return g_variant_ref_sink(g_variant_new_parsed(typed));
}

TEST(what_is_meant_is_read) {
        g_autoptr(GVariant) config = parse(
                "{'ipv4.address': '10.61.3.1/24', 'ipv4.nat': 'true', 'ipv4.nat.order': 'after',"
                " 'ipv4.nat.address': '192.0.2.7', 'ipv4.routes': '10.62.0.0/16, 10.63.0.0/24',"
                " 'ipv4.dhcp.ranges': '10.61.3.10-10.61.3.19,10.61.3.40-10.61.3.40',"
                " 'ipv4.dhcp.gateway': '10.61.3.254', 'ipv4.dhcp.expiry': '90m',"
                " 'ipv6.address': 'fd42:61:3::1/64', 'ipv6.dhcp.stateful': 'true',"
                " 'ipv6.routing': 'false', 'ipv6.firewall': 'no', 'dns.mode': 'dynamic',"
                " 'dns.search': 'a.example, b.example', 'bridge.hwaddr': '00:16:3e:0a:0b:0c',"
                " 'bridge.external_interfaces': 'eth7,eth8', 'bridge.mtu': '9000'}");
        g_auto(NetworkOptions) o = { 0 };
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *route = NULL, *last = NULL, *nat = NULL;

        g_assert_cmpint(network_options_read(NETWORK_BRIDGE, config, &o, &error), ==, 0);
        g_assert_true(o.ipv4.nat && o.ipv4.nat_after && o.ipv4.dhcp && o.ipv4.routing);
        g_assert_false(o.ipv6.nat || o.ipv6.routing || o.ipv6.firewall);
        g_assert_true(o.ipv6.stateful);
        g_assert_cmpuint(o.ipv4.routes->len, ==, 2);
        route = subnet_to_string(&g_array_index(o.ipv4.routes, Subnet, 1));
        g_assert_cmpstr(route, ==, "10.63.0.0/24");
        g_assert_cmpuint(o.ipv4.ranges->len, ==, 2);
        last = subnet_address_to_string(&g_array_index(o.ipv4.ranges, NetworkRange, 0).last);
        g_assert_cmpstr(last, ==, "10.61.3.19");
        nat = subnet_address_to_string(&o.ipv4.nat_address);
        g_assert_cmpstr(nat, ==, "192.0.2.7");
        g_assert_cmpstr(o.ipv4.expiry, ==, "90m");
        g_assert_cmpstr(o.ipv6.expiry, ==, "1h");
        g_assert_cmpint(o.dns_mode, ==, NETWORK_DNS_DYNAMIC);
        g_assert_cmpstr(o.search[1], ==, "b.example");
        g_assert_cmpstr(o.external[1], ==, "eth8");
        g_assert_true(o.has_hwaddr && o.hwaddr[5] == 0x0c);
        g_assert_cmpuint(o.mtu, ==, 9000);
}

TEST(defaults) {
        g_autoptr(GVariant) config = parse("{}");
        g_auto(NetworkOptions) o = { 0 };

        g_assert_cmpint(network_options_read(NETWORK_BRIDGE, config, &o, NULL), ==, 0);
        g_assert_true(o.ipv4.is_auto && o.ipv6.is_auto);
        g_assert_cmpint(o.ipv4.subnet.family, ==, AF_UNSPEC);
        g_assert_true(o.ipv4.dhcp && o.ipv4.firewall && o.ipv4.routing && !o.ipv4.nat);
        g_assert_false(o.ipv6.stateful);
        g_assert_cmpstr(o.domain, ==, "berth");
        g_assert_cmpint(o.dns_mode, ==, NETWORK_DNS_MANAGED);
        g_assert_null(o.search[0]);
        g_assert_null(o.raw_dnsmasq);
}

/* Each is refused with the name of its key in the message. */
TEST(what_makes_no_sense_is_refused) {
        g_autoptr(GVariant) base = parse(
                "{'ipv4.address': '10.61.3.1/24', 'ipv6.address': 'fd42:61:3::1/64'}");
        static const struct {
                const char *key, *value;
        } cases[] = {
                { "ipv4.address", "10.0.0.0/24" },
                { "ipv4.address", "10.0.0.1" },
                { "ipv6.address", "fd42::1/48" },
                { "ipv4.dhcp.ranges", "10.61.3.10" },
                { "ipv4.dhcp.ranges", "10.61.3.10-10.61.3.9" },
                { "ipv4.dhcp.ranges", "10.61.3.10-10.61.4.9" },
                { "ipv4.dhcp.ranges", "10.61.3.1-10.61.3.9" },
                { "ipv4.dhcp.ranges", "10.61.3.0-10.61.3.9" },
                { "ipv4.dhcp.ranges", "10.61.3.5-10.61.3.255" },
                { "ipv4.dhcp.ranges", "10.61.3.5-10.61.3.9,10.61.3.9-10.61.3.12" },
                { "ipv4.dhcp.ranges", "10.61.3.5-10.61.3.9,1h" },
                { "ipv6.dhcp.ranges", "fd42:61:3::10-fd42:61:3::20" },
                { "ipv4.dhcp.gateway", "10.61.4.1" },
                { "ipv4.dhcp.gateway", "10.61.3.2,option:router" },
                { "ipv4.dhcp.expiry", "1h,a" },
                { "ipv4.dhcp.expiry", "60" },
                { "ipv4.dhcp.expiry", "1" },
                { "ipv4.dhcp.expiry", "9999999" },
                { "ipv4.nat.address", "fd42::1" },
                { "ipv4.nat.address", "127.0.0.1" },
                { "ipv4.nat.order", "first" },
                { "ipv4.routes", "10.61.3.0/24" },
                { "ipv4.routes", "10.62.0.1/16" },
                { "ipv4.routes", "0.0.0.0/0" },
                { "dns.mode", "all" },
                { "dns.domain", "a,b" },
                { "dns.domain", "a b" },
                { "dns.domain", "a\nb" },
                { "dns.domain", "/" },
                { "dns.search", "a,,b" },
                { "dns.search", "a/b" },
                { "bridge.hwaddr", "01:00:5e:00:00:01" },
                { "bridge.hwaddr", "00:00:00:00:00:00" },
                { "bridge.hwaddr", "00:16:3e:12:34:56; drop" },
                { "bridge.mtu", "100" },
                { "bridge.external_interfaces", "eth0,lo" },
                { "bridge.external_interfaces", "../x" },
                { "bridge.external_interfaces", "eth0\" accept" },
                { "parent", "eth0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) config = NULL, set = NULL;
                g_auto(NetworkOptions) o = { 0 };
                g_auto(Error) error = ERROR_INIT;

                set = g_variant_ref_sink(g_variant_new_parsed("{%s: %s}", cases[i].key,
                                                              cases[i].value));
                config = config_merge(base, set, NULL);
                if (network_options_read(NETWORK_BRIDGE, config, &o, &error) >= 0)
                        g_error("%s=\"%s\" was accepted", cases[i].key, cases[i].value);
                g_assert_cmpint(error.code, >, 0);
                if (!strstr(error.message, cases[i].key))
                        g_error("%s=\"%s\": \"%s\"", cases[i].key, cases[i].value, error.message);
        }
}

TEST(types_have_keys_of_their_own) {
        g_autoptr(GVariant) none = parse("{}"), bridge = parse("{'ipv4.nat': 'true'}");
        g_autoptr(GVariant) parent = parse("{'parent': 'eth0', 'mtu': '9000', 'user.a': 'b'}");
        g_auto(NetworkOptions) o = { 0 };
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(network_options_read(NETWORK_MACVLAN, none, &o, &error), <, 0);
        g_assert_nonnull(strstr(error.message, "parent"));
        g_assert_cmpint(network_options_read(NETWORK_PHYSICAL, bridge, &o, NULL), <, 0);
        g_assert_cmpint(network_options_read(NETWORK_MACVLAN, parent, &o, NULL), ==, 0);
        g_assert_cmpstr(o.parent, ==, "eth0");
        g_assert_cmpuint(o.mtu, ==, 9000);
}

TEST(addresses_made_of_ethernet_addresses) {
        static const uint8_t hwaddr[] = { 0x00, 0x16, 0x3e, 0x12, 0x34, 0x56 };
        g_autofree char *text = NULL;
        Subnet subnet, address;

        g_assert_cmpint(subnet_parse("fd42:61:3::1/64", AF_INET6, &subnet, NULL), ==, 0);
        address = subnet_eui64(&subnet, hwaddr);
        text = subnet_address_to_string(&address);
        g_assert_cmpstr(text, ==, "fd42:61:3:0:216:3eff:fe12:3456");
}

TEST_MAIN()
