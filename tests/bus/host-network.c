/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What systemd-resolved and firewalld are told of networks: when these change, when the services
 * come, and when firewalld has read its configuration anew. The network is called as an interface
 * that every host has.
 */

#include <net/if.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-service.h"
#include "tests/bus/world.h"

#define RESOLVED "org.freedesktop.resolve1", "/org/freedesktop/resolve1"
#define FIREWALLD "org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1"
#define PATH_LO "/org/berth1/network/lo"
#define TRUSTED "changeZoneOfInterface('trusted', 'lo')"

static void make_network(Harness *h) {
        g_autoptr(Call) call = client_run_job(
                h->root, PATH_ROOT, "Manager.CreateNetwork",
                g_variant_new_parsed("('lo', 'bridge', {'ipv4.address': '10.9.0.1/24', "
                                     "'ipv6.address': 'none', 'dns.domain': 'ship'}, "
                                     "@a{sv} {})"));

        call_assert_ok(call);
}

static char *with_index(const char *format) {
        g_autofree char *index = g_strdup_printf("%u", if_nametoindex("lo"));
        g_auto(GStrv) parts = g_strsplit(format, "%", 2);

        return parts[1] ? g_strconcat(parts[0], index, parts[1], NULL) : g_strdup(format);
}

static void wait_for(Harness *h, const MockService *service, const char *format, unsigned count) {
        g_autofree char *call = with_index(format);

        HARNESS_WAIT(h, mock_service_count(service, call) >= count);
        g_assert_cmpuint(mock_service_count(service, call), ==, count);
}

TEST(names_are_known_to_the_host) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(MockService) resolved = mock_service_new(h, RESOLVED);
        g_autoptr(Call) update = NULL, none = NULL;

        make_network(h);
        wait_for(h, resolved, "SetLinkDNS(%, [(2, [0x0a, 0x09, 0x00, 0x01])])", 1);
        wait_for(h, resolved, "SetLinkDomains(%, [('ship', true)])", 1);
        wait_for(h, resolved, "SetLinkDefaultRoute(%, false)", 1);
        wait_for(h, resolved, "SetLinkDNSSEC(%, 'no')", 1);

        update = client_call(h->root, PATH_LO, "Network.Update",
                             g_variant_new_parsed("({'dns.domain': 'port', 'user.x': 'y'}, @as [], "
                                                  "@a{sv} {})"));
        call_assert_ok(update);
        wait_for(h, resolved, "SetLinkDomains(%, [('port', true)])", 1);
        none = client_call(h->root, PATH_LO, "Network.Update",
                           g_variant_new_parsed("({'dns.mode': 'none'}, @as [], @a{sv} {})"));
        call_assert_ok(none);
        wait_for(h, resolved, "RevertLink(%,)", 1);
}

TEST(who_comes_later_is_told) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(MockService) resolved = NULL, firewalld = NULL;

        make_network(h);
        resolved = mock_service_new(h, RESOLVED);
        wait_for(h, resolved, "SetLinkDNS(%, [(2, [0x0a, 0x09, 0x00, 0x01])])", 1);
        firewalld = mock_service_new(h, FIREWALLD);
        wait_for(h, firewalld, TRUSTED, 1);
}

TEST(firewalld_lets_bridges_be) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(MockService) firewalld = mock_service_new(h, FIREWALLD);
        g_autoptr(Call) update = NULL, end = NULL;

        make_network(h);
        wait_for(h, firewalld, TRUSTED, 1);
        mock_service_emit(firewalld, "org.fedoraproject.FirewallD1", "Reloaded");
        wait_for(h, firewalld, TRUSTED, 2);
        /* What does not concern it, it is not told. */
        update = client_call(h->root, PATH_LO, "Network.Update",
                             g_variant_new_parsed("({'user.x': 'y'}, @as [], @a{sv} {})"));
        call_assert_ok(update);
        end = client_run_job(h->root, PATH_LO, "Network.Delete",
                             g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(end);
        wait_for(h, firewalld, "removeInterface('trusted', 'lo')", 1);
        g_assert_cmpuint(mock_service_count(firewalld, TRUSTED), ==, 2);
}

HARNESS_MAIN()
