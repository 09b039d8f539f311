/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/firewall.h"

#include <netinet/in.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "service/worker/network/word.h"


#define NETWORKS_TYPE "a(ssssbb)"

typedef struct nft_ctx NftContext;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NftContext, nft_ctx_free)

/* Adding it first makes deleting it succeed also where there is none. */
static const char remove_table[] = "add table inet berth\n"
                                   "delete table inet berth\n";

/* For all networks alike. Router advertisements and redirects are left out on purpose: the host
 * takes none from a container. */
static const char accept_basics[] =
        "    ct state established,related accept\n"
        "    icmp type { echo-request, destination-unreachable, time-exceeded, "
        "parameter-problem } accept\n"
        "    icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, "
        "parameter-problem, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, "
        "mld-listener-report, mld-listener-done, mld2-listener-report } accept\n";

static void append_bridges(GString *rules, const FirewallNetwork *networks, size_t n_networks) {
        g_string_append(rules, "  set bridges {\n    type ifname\n    elements = { ");
        for (size_t i = 0; i < n_networks; i++)
                g_string_append_printf(rules, "%s\"%s\"", i > 0 ? ", " : "", networks[i].name);
        g_string_append(rules, " }\n  }\n");
}

/* DNS only to the address that dnsmasq has: another resolver of the host is none of theirs. */
static void append_services(GString *rules, const FirewallNetwork *network) {
        if (network->ipv4.family != AF_UNSPEC) {
                g_autofree char *address = subnet_address_to_string(&network->ipv4);

                g_string_append_printf(rules,
                                       "    iifname \"%s\" meta nfproto ipv4 udp dport 67 accept\n"
                                       "    iifname \"%s\" ip daddr %s udp dport 53 accept\n"
                                       "    iifname \"%s\" ip daddr %s tcp dport 53 accept\n",
                                       network->name, network->name, address, network->name,
                                       address);
        }
        if (network->ipv6.family != AF_UNSPEC) {
                g_autofree char *address = subnet_address_to_string(&network->ipv6);

                g_string_append_printf(rules,
                                       "    iifname \"%s\" meta nfproto ipv6 udp dport 547 accept\n"
                                       "    iifname \"%s\" ip6 daddr %s udp dport 53 accept\n"
                                       "    iifname \"%s\" ip6 daddr %s tcp dport 53 accept\n",
                                       network->name, network->name, address, network->name,
                                       address);
        }
}

/* Not on the way back to the bridge: the host's own broadcasts and answers of DHCP must keep their
 * source address and port. */
static void append_nat(GString *rules, const FirewallNetwork *network, const Subnet *subnet) {
        const char *protocol = subnet->family == AF_INET ? "ip" : "ip6";
        g_autofree char *range = subnet_network_to_string(subnet);

        g_string_append_printf(rules,
                               "    oifname != \"%s\" %s saddr %s %s daddr != %s "
                               "counter masquerade\n",
                               network->name, protocol, range, protocol, range);
}

char *firewall_rules(const FirewallNetwork *networks, size_t n_networks) {
        g_autoptr(GString) rules = g_string_new(remove_table);

        if (n_networks == 0)
                return g_string_free(g_steal_pointer(&rules), FALSE);

        g_string_append(rules, "table inet berth {\n");
        append_bridges(rules, networks, n_networks);

        g_string_append(rules, "  chain host {\n");
        g_string_append(rules, accept_basics);
        for (size_t i = 0; i < n_networks; i++)
                append_services(rules, &networks[i]);
        g_string_append(rules,
                        "    counter drop\n"
                        "  }\n"
                        "  chain input {\n"
                        "    type filter hook input priority filter; policy accept;\n"
                        "    iifname @bridges goto host\n"
                        "  }\n"
                        "  chain forward {\n"
                        "    type filter hook forward priority filter; policy accept;\n"
                        "    iifname @bridges accept\n"
                        "    oifname @bridges accept\n"
                        "  }\n"
                        "  chain postrouting {\n"
                        "    type nat hook postrouting priority srcnat; policy accept;\n");
        for (size_t i = 0; i < n_networks; i++) {
                if (networks[i].nat4 && networks[i].ipv4.family != AF_UNSPEC)
                        append_nat(rules, &networks[i], &networks[i].ipv4);
                if (networks[i].nat6 && networks[i].ipv6.family != AF_UNSPEC)
                        append_nat(rules, &networks[i], &networks[i].ipv6);
        }
        g_string_append(rules, "  }\n}\n");
        return g_string_free(g_steal_pointer(&rules), FALSE);
}

int firewall_apply(const char *rules, Error *ret_error) {
        g_autoptr(NftContext) context = nft_ctx_new(NFT_CTX_DEFAULT);

        if (!context)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot open nftables; does the kernel have nf_tables");
        if (nft_ctx_buffer_error(context) != 0 || nft_ctx_buffer_output(context) != 0)
                g_error("Out of memory");
        if (nft_run_cmd_from_buffer(context, rules) != 0) {
                g_auto(GStrv) lines = g_strsplit(nft_ctx_get_error_buffer(context), "\n", 2);

                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "nftables refused the rules of table \"inet berth\": %s",
                                 lines[0] ?: "no reason given");
        }
        return 0;
}

static int parse_network(GVariant *tuple, FirewallNetwork *ret, Error *ret_error) {
        FirewallNetwork network = { 0 };
        const char *ipv4, *ipv6;
        gboolean nat4, nat6;
        int r;

        g_variant_get(tuple, "(&s&s&s&sbb)", &network.name, &ipv4, &ipv6, NULL, &nat4, &nat6);
        r = word_check_network(network.name, ret_error);
        if (r < 0)
                return r;
        r = subnet_parse(ipv4, AF_INET, &network.ipv4, ret_error);
        if (r < 0)
                return r;
        r = subnet_parse(ipv6, AF_INET6, &network.ipv6, ret_error);
        if (r < 0)
                return r;
        network.nat4 = nat4;
        network.nat6 = nat6;
        *ret = network;
        return 0;
}

int firewall_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) list = NULL;
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        g_autofree FirewallNetwork *networks = NULL;
        g_autofree char *rules = NULL;
        size_t n;
        int r;

        r = worker_get_variant(worker, "networks", NETWORKS_TYPE, &list, ret_error);
        if (r < 0)
                return r;
        n = g_variant_n_children(list);
        networks = g_new0(FirewallNetwork, n);
        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) tuple = g_variant_get_child_value(list, i);

                r = parse_network(tuple, &networks[i], ret_error);
                if (r < 0)
                        return r;
                if (!g_hash_table_add(names, (char *) networks[i].name))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Network %s is given twice", networks[i].name);
        }
        rules = firewall_rules(networks, n);
        return firewall_apply(rules, ret_error);
}
