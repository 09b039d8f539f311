/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/guard.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/model/network-options.h"
#include "service/model/nic-route.h"
#include "service/model/subnet.h"
#include "service/util/cleanup.h"

/* A set of nftables while its elements are collected. */
typedef struct GuardSet {
        const char *table, *name, *type;
        GString *elements;
} GuardSet;

typedef enum GuardSetIndex {
        SET_MAC,      /* nics that are guarded against each kind */
        SET_IPV4,
        SET_IPV6,
        SET_IP,       /* against both, so that nothing but IP passes */
        SET_ISOLATED,
        SET_MACS,     /* what each nic may use */
        SET_IPV4S,
        SET_IPV6S,
        SET_TARGETS,  /* the same as IPV6S, as nftables takes bytes of a message's body, */
        SET_CLIENTS,  /* and as MACS: for whom it asks for a lease */
        SET_ROUTED,   /* nics that are routed to, */
        SET_NETS4,    /* and what is led to them */
        SET_NETS6,
        _SET_MAX,
} GuardSetIndex;

typedef struct Guard {
        GuardSet sets[_SET_MAX];
} Guard;

static void guard_init(Guard *guard) {
        static const GuardSet empty[] = {
                [SET_MAC] = { "bridge", "guarded-mac", "type ifname" },
                [SET_IPV4] = { "bridge", "guarded-ipv4", "type ifname" },
                [SET_IPV6] = { "bridge", "guarded-ipv6", "type ifname" },
                [SET_IP] = { "bridge", "guarded-ip", "type ifname" },
                [SET_ISOLATED] = { "bridge", "isolated", "type ifname" },
                [SET_MACS] = { "bridge", "macs", "type ifname . ether_addr" },
                [SET_IPV4S] = { "bridge", "ipv4s", "type ifname . ipv4_addr" },
                [SET_IPV6S] = { "bridge", "ipv6s", "type ifname . ipv6_addr" },
                [SET_TARGETS] = { "bridge", "targets", "typeof iifname . @th,64,128" },
                [SET_CLIENTS] = { "bridge", "clients", "typeof iifname . @th,288,48" },
                [SET_ROUTED] = { "inet", "routed", "type ifname" },
                [SET_NETS4] = { "inet", "routed4", "type ifname . ipv4_addr; flags interval" },
                [SET_NETS6] = { "inet", "routed6", "type ifname . ipv6_addr; flags interval" },
        };

        G_STATIC_ASSERT(G_N_ELEMENTS(empty) == _SET_MAX);
        memcpy(guard->sets, empty, sizeof(empty));
        for (size_t i = 0; i < _SET_MAX; i++)
                guard->sets[i].elements = g_string_new(NULL);
}

static void guard_done(Guard *guard) {
        for (size_t i = 0; i < _SET_MAX; i++)
                g_string_free(guard->sets[i].elements, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Guard, guard_done)

static void set_add(Guard *guard, GuardSetIndex index, const char *interface, const char *value) {
        GString *elements = guard->sets[index].elements;

        g_string_append_printf(elements, "%s\"%s\"%s%s", elements->len > 0 ? ", " : "", interface,
                               value ? " . " : "", value ?: "");
}

/* --- nics --- */

static void add_ipv6(Guard *guard, const char *interface, const Subnet *address) {
        g_autofree char *text = subnet_address_to_string(address);
        g_autoptr(GString) hex = g_string_new("0x");

        for (size_t i = 0; i < 16; i++)
                g_string_append_printf(hex, "%02x", address->bytes[i]);
        set_add(guard, SET_IPV6S, interface, text);
        set_add(guard, SET_TARGETS, interface, hex->str);
}

static int add_address(Guard *guard, GVariant *nic, const char *interface, int family,
                       Error *ret_error) {
        const char *value = config_get(nic, family == AF_INET ? "ipv4.address" : "ipv6.address");
        g_autofree char *text = NULL;
        Subnet address;
        int r;

        if (!value || g_str_equal(value, "none"))
                return 0;
        r = subnet_parse_address(value, family, &address, ret_error);
        if (r < 0)
                return r;
        if (family == AF_INET6) {
                add_ipv6(guard, interface, &address);
                return 0;
        }
        text = subnet_address_to_string(&address);
        set_add(guard, SET_IPV4S, interface, text);
        return 0;
}

/* fe80::/64: every interface has one, which follows from its Ethernet address too. */
static void add_link_local(Guard *guard, const char *interface, const uint8_t hwaddr[static 6]) {
        static const uint8_t prefix[16] = { 0xfe, 0x80 };
        Subnet subnet = subnet_new(AF_INET6, prefix, sizeof(prefix), 64);
        Subnet address = subnet_eui64(&subnet, hwaddr);

        add_ipv6(guard, interface, &address);
}

static int add_nets(Guard *guard, GVariant *nic, const char *interface, int family,
                    Error *ret_error) {
        g_autoptr(GArray) nets = NULL;
        int r = nic_read_routed(nic, family, &nets, ret_error);

        for (guint i = 0; r >= 0 && i < nets->len; i++) {
                g_autofree char *text =
                        subnet_network_to_string(&g_array_index(nets, Subnet, i));

                set_add(guard, family == AF_INET ? SET_NETS4 : SET_NETS6, interface, text);
        }
        return r;
}

static int add_routed(Guard *guard, GVariant *nic, const char *interface, Error *ret_error) {
        int r = add_nets(guard, nic, interface, AF_INET, ret_error);

        if (r >= 0)
                r = add_nets(guard, nic, interface, AF_INET6, ret_error);
        if (r >= 0)
                set_add(guard, SET_ROUTED, interface, NULL);
        return r;
}

static int add_nic(Guard *guard, GVariant *nic, GHashTable *seen, Error *ret_error) {
        const char *interface = config_get(nic, "host_name"), *hwaddr = config_get(nic, "hwaddr");
        bool mac = device_get_boolean(nic, "security.mac_filtering", true);
        bool ipv4 = device_get_boolean(nic, "security.ipv4_filtering", true);
        bool ipv6 = device_get_boolean(nic, "security.ipv6_filtering", true);
        g_autofree char *client = NULL;
        bool isolated = device_get_boolean(nic, "security.port_isolation", false);
        uint8_t bytes[6];
        int r;

        if (!mac && !ipv4 && !ipv6 && !isolated)
                return 0;
        if (!interface || name_check(NAME_INTERFACE, interface, NULL) < 0 || !hwaddr ||
            !network_parse_hwaddr(hwaddr, bytes))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Interface \"%s\" with address \"%s\" is no nic to guard",
                                 interface ?: "", hwaddr ?: "");
        if (!g_hash_table_add(seen, g_strdup(interface)))
                return error_set(ret_error, ERROR_IN_USE,
                                 "Two nics have the \"host_name\" %s", interface);
        if (nic_is_routed(nic))
                return add_routed(guard, nic, interface, ret_error);
        set_add(guard, SET_MACS, interface, hwaddr);
        client = g_strdup_printf("0x%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2],
                                 bytes[3], bytes[4], bytes[5]);
        set_add(guard, SET_CLIENTS, interface, client);
        add_link_local(guard, interface, bytes);
        r = add_address(guard, nic, interface, AF_INET, ret_error);
        if (r >= 0)
                r = add_address(guard, nic, interface, AF_INET6, ret_error);
        if (r < 0)
                return r;
        if (mac)
                set_add(guard, SET_MAC, interface, NULL);
        if (ipv4)
                set_add(guard, SET_IPV4, interface, NULL);
        if (ipv6)
                set_add(guard, SET_IPV6, interface, NULL);
        if (ipv4 && ipv6)
                set_add(guard, SET_IP, interface, NULL);
        if (isolated)
                set_add(guard, SET_ISOLATED, interface, NULL);
        return 0;
}

/* --- rules --- */

static const char bridge_chains[] =
        "  chain check-arp-mac {\n"
        "    iifname . arp saddr ether != @macs counter drop\n"
        "  }\n"
        /* A probe (RFC 5227) asks from no address. */
        "  chain check-arp {\n"
        "    arp htype != 1 counter drop\n"
        "    arp ptype != 0x0800 counter drop\n"
        "    arp operation != { request, reply } counter drop\n"
        "    arp operation request arp saddr ip 0.0.0.0 accept\n"
        "    iifname . arp saddr ip != @ipv4s counter drop\n"
        "  }\n"
        "  chain check-ipv4 {\n"
        "    udp sport 67 counter drop\n"
        "    udp sport 68 udp dport 67 ip saddr 0.0.0.0 iifname . @th,288,48 @clients accept\n"
        "    udp dport 67 iifname . @th,288,48 @clients iifname . ip saddr @ipv4s accept\n"
        "    udp dport 67 counter drop\n"
        "    iifname . ip saddr != @ipv4s counter drop\n"
        "  }\n"
        /* What is sent before an address is sure comes from "::". */
        "  chain check-ipv6 {\n"
        "    icmpv6 type { nd-router-advert, nd-redirect } counter drop\n"
        "    udp sport 547 counter drop\n"
        "    icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets counter drop\n"
        "    ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @targets accept\n"
        "    ip6 saddr :: icmpv6 type { nd-router-solicit, mld-listener-report, "
        "mld2-listener-report } accept\n"
        "    iifname . ip6 saddr != @ipv6s counter drop\n"
        "  }\n"
        "  chain prerouting {\n"
        "    type filter hook prerouting priority -350; policy accept;\n"
        "    iifname @guarded-mac iifname . ether saddr != @macs counter drop\n"
        "    iifname @guarded-ip ether type != { arp, ip, ip6 } counter drop\n"
        "    iifname @guarded-mac ether type arp jump check-arp-mac\n"
        "    iifname @guarded-ipv4 ether type arp jump check-arp\n"
        "    iifname @guarded-ipv4 ether type ip jump check-ipv4\n"
        "    iifname @guarded-ipv6 ether type ip6 jump check-ipv6\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority -350; policy accept;\n"
        "    iifname @isolated oifname @isolated counter drop\n"
        "  }\n";

static const char inet_chains[] =
        "  chain check-routed {\n"
        "    icmp type redirect counter drop\n"
        "    icmpv6 type { nd-router-advert, nd-redirect } counter drop\n"
        "    ip6 saddr fe80::/10 accept\n"
        "    ip6 saddr :: ip6 daddr ff02::/16 accept\n"
        "    meta nfproto ipv4 iifname . ip saddr != @routed4 counter drop\n"
        "    meta nfproto ipv6 iifname . ip6 saddr != @routed6 counter drop\n"
        "  }\n"
        "  chain prerouting-routed {\n"
        "    type filter hook prerouting priority -350; policy accept;\n"
        "    iifname @routed jump check-routed\n"
        "  }\n";

/* Whether there is any to guard. */
static int add_nics(Guard *guard, GVariant *nics, Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (size_t i = 0; i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);
                int r = add_nic(guard, nic, seen, ret_error);

                if (r < 0)
                        return r;
        }
        return g_hash_table_size(seen) > 0;
}

static void append_table(GString *rules, const Guard *guard, const char *table,
                         const char *chains) {
        g_string_append_printf(rules, "table %s berth {\n", table);
        for (size_t i = 0; i < _SET_MAX; i++) {
                const GuardSet *set = &guard->sets[i];

                if (!g_str_equal(set->table, table))
                        continue;
                g_string_append_printf(rules, "  set %s {\n    %s\n", set->name, set->type);
                if (set->elements->len > 0)
                        g_string_append_printf(rules, "    elements = { %s }\n",
                                               set->elements->str);
                g_string_append(rules, "  }\n");
        }
        g_string_append_printf(rules, "%s}\n", chains);
}

int guard_append_rules(GString *rules, GVariant *nics, Error *ret_error) {
        g_auto(Guard) guard;
        int r;

        guard_init(&guard);
        r = add_nics(&guard, nics, ret_error);
        if (r < 0)
                return r;
        append_table(rules, &guard, "bridge", bridge_chains);
        append_table(rules, &guard, "inet", inet_chains);
        return r;
}

int guard_append_elements(GString *rules, const char *verb, GVariant *nics, Error *ret_error) {
        g_auto(Guard) guard;
        int r;

        guard_init(&guard);
        r = add_nics(&guard, nics, ret_error);
        for (size_t i = 0; r > 0 && i < _SET_MAX; i++) {
                const GuardSet *set = &guard.sets[i];

                if (set->elements->len > 0)
                        g_string_append_printf(rules, "%s element %s berth %s { %s }\n", verb,
                                               set->table, set->name, set->elements->str);
        }
        return r;
}
