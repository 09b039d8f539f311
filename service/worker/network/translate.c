/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/translate.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/subnet.h"
#include "service/util/cleanup.h"

static int check_address(const char *text, int family, Subnet *ret, Error *ret_error) {
        return subnet_parse_address(text, family, ret, ret_error);
}

static int append_one(GString *rules, GVariant *translation, Error *ret_error) {
        const char *protocol, *listen, *target;
        g_autofree char *from = NULL, *to = NULL;
        guint16 first, last, port;
        int r, family;
        Subnet a, b;

        g_variant_get(translation, "(&s&sqq&sq)", &protocol, &listen, &first, &last, &target,
                      &port);
        family = strchr(listen, ':') ? AF_INET6 : AF_INET;
        r = check_address(listen, family, &a, ret_error);
        if (r >= 0)
                r = check_address(target, family, &b, ret_error);
        if (r < 0)
                return r;
        if (*protocol && !g_str_equal(protocol, "tcp") && !g_str_equal(protocol, "udp"))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "\"%s\" is no protocol that has ports", protocol);
        from = subnet_address_to_string(&a);
        to = subnet_address_to_string(&b);
        g_string_append_printf(rules, "    %s daddr %s fib daddr type local ",
                               family == AF_INET ? "ip" : "ip6", from);
        if (*protocol)
                g_string_append_printf(rules, "%s dport %u-%u ", protocol, first, last);
        g_string_append_printf(rules, family == AF_INET ? "dnat ip to %s" : "dnat ip6 to [%s]",
                               to);
        if (port > 0)
                g_string_append_printf(rules, ":%u", port);
        g_string_append(rules, "\n");
        return 0;
}

static void append_hairpin(GString *rules, const FirewallNetwork *network) {
        const NetworkFamily *families[] = { &network->options.ipv4, &network->options.ipv6 };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                const char *protocol = i == 0 ? "ip" : "ip6";
                g_autofree char *range = NULL;

                if (families[i]->subnet.family == AF_UNSPEC)
                        continue;
                range = subnet_network_to_string(&families[i]->subnet);
                g_string_append_printf(rules,
                                       "    ct status dnat oifname \"%s\" %s saddr %s %s daddr %s "
                                       "masquerade\n",
                                       network->name, protocol, range, protocol, range);
        }
}

int translate_append(GString *rules, GVariant *translations, const FirewallNetwork *networks,
                     size_t n_networks, Error *ret_error) {
        static const struct {
                const char *chain, *hook;
        } chains[] = {
                { "prerouting", "prerouting priority dstnat" },
                { "output", "output priority -100" },
        };

        if (g_variant_n_children(translations) == 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(chains); i++) {
                g_string_append_printf(rules,
                                       "  chain %s {\n    type nat hook %s; policy accept;\n",
                                       chains[i].chain, chains[i].hook);
                for (size_t j = 0; j < g_variant_n_children(translations); j++) {
                        g_autoptr(GVariant) one = g_variant_get_child_value(translations, j);
                        int r = append_one(rules, one, ret_error);

                        if (r < 0)
                                return r;
                }
                g_string_append(rules, "  }\n");
        }
        g_string_append(rules, "  chain hairpin {\n"
                               "    type nat hook postrouting priority srcnat - 2; "
                               "policy accept;\n");
        for (size_t i = 0; i < n_networks; i++)
                append_hairpin(rules, &networks[i]);
        g_string_append(rules, "  }\n");
        return 0;
}
