/* SPDX-License-Identifier: Apache-2.0 */

/* Forwards of networks: what is accepted, what is refused and why, and what the firewall makes of
 * it. */

#include <string.h>

#include "service/model/config.h"
#include "service/model/network-forward.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static GVariant *parse(const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *value = g_variant_parse(FORWARDS_TYPE, text, NULL, NULL, &error);

        g_assert_no_error(error);
        return value;
}

static void read_options(NetworkOptions *ret) {
        g_autoptr(GVariant) config = g_variant_ref_sink(g_variant_new_parsed(
                "{'ipv4.address': '10.9.0.1/24', 'ipv6.address': 'fd42:9::1/64'}"));

        g_assert_cmpint(network_options_read(NETWORK_BRIDGE, config, ret, NULL), ==, 0);
}

static char *translate(const char *text) {
        g_autoptr(GVariant) forwards = parse(text), all = NULL;
        g_auto(NetworkOptions) options = { 0 };
        g_auto(Error) error = ERROR_INIT;
        GVariantBuilder builder;

        read_options(&options);
        if (forwards_check(forwards, &options, &error) < 0)
                g_error("%s", error.message);
        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ssqqsq)"));
        forwards_translate(forwards, &builder);
        all = g_variant_ref_sink(g_variant_builder_end(&builder));
        return g_variant_print(all, FALSE);
}

static void check_translation(const char *text, const char *expected) {
        g_autofree char *found = translate(text);

        g_assert_cmpstr(found, ==, expected);
}

TEST(runs_of_ports_are_one_translation) {
        check_translation("{'192.0.2.1': ('', {'target_address': '10.9.0.5', 'user.x': 'y'}, [])}",
                          "[('', '192.0.2.1', 0, 0, '10.9.0.5', 0)]");
        check_translation("{'192.0.2.1': ('', {}, [('tcp', '80,8000-8009', '10.9.0.5', '', '')])}",
                          "[('tcp', '192.0.2.1', 80, 80, '10.9.0.5', 0), "
                          "('tcp', '192.0.2.1', 8000, 8009, '10.9.0.5', 0)]");
        check_translation("{'192.0.2.1': ('', {}, [('udp', '1-3', '10.9.0.5', '53', '')])}",
                          "[('udp', '192.0.2.1', 1, 3, '10.9.0.5', 53)]");
        check_translation("{'2001:db8::1': ('', {}, [('tcp', '1-2', 'fd42:9::5', '7-8', '')])}",
                          "[('tcp', '2001:db8::1', 1, 1, 'fd42:9::5', 7), "
                          "('tcp', '2001:db8::1', 2, 2, 'fd42:9::5', 8)]");
        /* One number of tcp and the same of udp are two. */
        check_translation("{'192.0.2.1': ('', {}, [('tcp', '53', '10.9.0.5', '', ''), "
                          "('udp', '53', '10.9.0.6', '', '')])}",
                          "[('tcp', '192.0.2.1', 53, 53, '10.9.0.5', 0), "
                          "('udp', '192.0.2.1', 53, 53, '10.9.0.6', 0)]");
}

TEST(what_makes_no_sense_is_refused) {
        static const char *const cases[][2] = {
                { "{'10.9.0.1': ('', {}, [])}", "own address" },
                { "{'fd42:9::1': ('', {}, [])}", "own address" },
                { "{'0.0.0.0': ('', {}, [])}", "no address" },
                { "{'1.2.3.4 drop': ('', {}, [])}", "no address" },
                { "{'192.0.2.1': ('', {'target_address': '10.8.0.5'}, [])}", "none that a" },
                { "{'192.0.2.1': ('', {'target_address': '10.9.0.255'}, [])}", "none that a" },
                { "{'192.0.2.1': ('', {'target_address': 'fd42:9::5'}, [])}", "none that a" },
                { "{'192.0.2.1': ('', {'no': 'x'}, [])}", "no key" },
                { "{'192.0.2.1': ('', {}, [('sctp', '1', '10.9.0.5', '', '')])}", "neither" },
                { "{'192.0.2.1': ('', {}, [('tcp', '', '10.9.0.5', '', '')])}", "no list" },
                { "{'192.0.2.1': ('', {}, [('tcp', '0', '10.9.0.5', '', '')])}", "no list" },
                { "{'192.0.2.1': ('', {}, [('tcp', '1-65535', '10.9.0.5', '', '')])}", "no list" },
                { "{'192.0.2.1': ('', {}, [('tcp', '1,2', '10.9.0.5', '1-3', '')])}", "as many" },
                { "{'192.0.2.1': ('', {}, [('tcp', '1-9', '10.9.0.5', '', ''), "
                  "('tcp', '9', '10.9.0.5', '', '')])}", "twice" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) forwards = parse(cases[i][0]);
                g_auto(NetworkOptions) options = { 0 };
                g_auto(Error) error = ERROR_INIT;

                read_options(&options);
                g_assert_cmpint(forwards_check(forwards, &options, &error), <, 0);
                if (!strstr(error.message, cases[i][1]))
                        g_error("%s: %s, without \"%s\"", cases[i][0], error.message, cases[i][1]);
        }
}

TEST(a_proxy_leads_to_its_own_container) {
        static const char *const own[] = { "10.9.0.5", NULL };
        static const char *const others[] = { "10.9.0.6", NULL };
        g_autoptr(GVariant) proxy = g_variant_ref_sink(g_variant_new_parsed(
                "{'listen': 'tcp:192.0.2.1:80-81', 'connect': 'tcp:10.9.0.5:8080', "
                "'nat': 'true'}"));
        g_autoptr(GVariant) all = NULL;
        g_autofree char *text = NULL;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ssqqsq)"));
        proxy_translate(proxy, others, &builder);
        proxy_translate(proxy, own, &builder);
        all = g_variant_ref_sink(g_variant_builder_end(&builder));
        text = g_variant_print(all, FALSE);
        g_assert_cmpstr(text, ==, "[('tcp', '192.0.2.1', 80, 81, '10.9.0.5', 8080)]");
}

TEST_MAIN()
