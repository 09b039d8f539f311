/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/network-options.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/nic-vlan.h"
#include "service/util/cleanup.h"

/* Each costs an argument of dnsmasq's or a route. */
#define LIST_MAX 64U
/* dnsmasq takes no shorter lease. */
#define EXPIRY_MIN 120U

static const char *const types[] = {
        [NETWORK_BRIDGE] = "bridge",
        [NETWORK_MACVLAN] = "macvlan",
        [NETWORK_PHYSICAL] = "physical",
};
G_STATIC_ASSERT(G_N_ELEMENTS(types) == _NETWORK_TYPE_MAX);

static const char *const dns_modes[] = {
        [NETWORK_DNS_MANAGED] = "managed",
        [NETWORK_DNS_DYNAMIC] = "dynamic",
        [NETWORK_DNS_NONE] = "none",
};
G_STATIC_ASSERT(G_N_ELEMENTS(dns_modes) == _NETWORK_DNS_MAX);

const char *network_type_to_string(NetworkType type) {
        return types[type];
}

NetworkType network_type_from_string(const char *s) {
        for (NetworkType type = 0; type < _NETWORK_TYPE_MAX; type++)
                if (g_str_equal(types[type], s))
                        return type;
        return _NETWORK_TYPE_INVALID;
}

/* --- lists --- */

typedef int (*ItemFunc)(const char *item, int family, GArray *array, Error *ret_error);

/* Items between commas, with blanks around them as people write them. */
static int read_list(const char *value, int family, ItemFunc func, GArray *array,
                     Error *ret_error) {
        g_auto(GStrv) items = g_strsplit(value, ",", -1);
        int r = 0;

        if (g_strv_length(items) > LIST_MAX)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "it has more than %u items", LIST_MAX);
        for (char **item = items; r >= 0 && *item; item++)
                r = func(g_strstrip(*item), family, array, ret_error);
        return r;
}

static int read_route(const char *item, int family, GArray *array, Error *ret_error) {
        Subnet route;
        int r = subnet_parse_route(item, family, &route, ret_error);

        if (r >= 0 && array)
                g_array_append_val(array, route);
        return r;
}

static int read_range(const char *item, int family, GArray *array, Error *ret_error) {
        g_auto(GStrv) ends = g_strsplit(item, "-", -1);
        NetworkRange range;
        int r;

        if (g_strv_length(ends) != 2)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.96s\" is no range such as %s", item,
                                 family == AF_INET ? "10.61.3.100-10.61.3.200"
                                                   : "fd42:1:2:3::100-fd42:1:2:3::1ff");
        r = subnet_parse_address(ends[0], family, &range.first, ret_error);
        if (r >= 0)
                r = subnet_parse_address(ends[1], family, &range.last, ret_error);
        if (r < 0)
                return r;
        if (subnet_compare(&range.first, &range.last) > 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.96s\" is a range that ends before it begins", item);
        if (array)
                g_array_append_val(array, range);
        return 0;
}

static int read_domain(const char *item, int family, GArray *array, Error *ret_error) {
        return network_check_domain(item, ret_error);
}

static int read_interface(const char *item, int family, GArray *array, Error *ret_error) {
        return network_check_interface(item, ret_error);
}

/* --- single values --- */

static int check_words(const char *value, const char *const *words, size_t n, Error *ret_error) {
        g_autoptr(GString) all = g_string_new(NULL);

        for (size_t i = 0; i < n; i++) {
                if (g_str_equal(value, words[i]))
                        return (int) i;
                g_string_append_printf(all, "%s%s", i > 0 ? ", " : "", words[i]);
        }
        return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%.64s\" is none of %s", value,
                         all->str);
}

int network_check_dns_mode(const char *value, Error *ret_error) {
        return check_words(value, dns_modes, ELEMENTSOF(dns_modes), ret_error);
}

int network_check_nat_order(const char *value, Error *ret_error) {
        static const char *const orders[] = { "before", "after" };

        return check_words(value, orders, ELEMENTSOF(orders), ret_error);
}

static int check_subnet(const char *value, int family, Error *ret_error) {
        Subnet unused;

        return g_str_equal(value, "auto") ? 0 : subnet_parse(value, family, &unused, ret_error);
}

int network_check_ipv4(const char *value, Error *ret_error) {
        return check_subnet(value, AF_INET, ret_error);
}

int network_check_ipv6(const char *value, Error *ret_error) {
        return check_subnet(value, AF_INET6, ret_error);
}

int network_check_ipv4_address(const char *value, Error *ret_error) {
        Subnet unused;

        return subnet_parse_address(value, AF_INET, &unused, ret_error);
}

int network_check_ipv6_address(const char *value, Error *ret_error) {
        Subnet unused;

        return subnet_parse_address(value, AF_INET6, &unused, ret_error);
}

int network_check_ipv4_ranges(const char *value, Error *ret_error) {
        return read_list(value, AF_INET, read_range, NULL, ret_error);
}

int network_check_ipv6_ranges(const char *value, Error *ret_error) {
        return read_list(value, AF_INET6, read_range, NULL, ret_error);
}

int network_check_ipv4_routes(const char *value, Error *ret_error) {
        return read_list(value, AF_INET, read_route, NULL, ret_error);
}

int network_check_ipv6_routes(const char *value, Error *ret_error) {
        return read_list(value, AF_INET6, read_route, NULL, ret_error);
}

int network_check_domain(const char *value, Error *ret_error) {
        g_auto(GStrv) labels = g_strsplit(value, ".", -1);
        bool ok = *value && strlen(value) <= 253;

        for (char **label = labels; ok && *label; label++) {
                size_t n = strlen(*label);

                ok = n > 0 && n <= 63 && (*label)[0] != '-' && (*label)[n - 1] != '-' &&
                     strspn(*label, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
        }
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no domain name in lower case", value);
        return 0;
}

int network_check_domains(const char *value, Error *ret_error) {
        return read_list(value, AF_UNSPEC, read_domain, NULL, ret_error);
}

/* "all" and "default" stand for other interfaces below /proc/sys/net. */
int network_check_interface(const char *value, Error *ret_error) {
        int r = name_check(NAME_INTERFACE, value, ret_error);

        if (r < 0)
                return r;
        if (g_str_equal(value, "lo") || g_str_equal(value, "all") || g_str_equal(value, "default"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no interface for this", value);
        return 0;
}

int network_check_interfaces(const char *value, Error *ret_error) {
        return read_list(value, AF_UNSPEC, read_interface, NULL, ret_error);
}

int network_check_expiry(const char *value, Error *ret_error) {
        static const char units[] = "smhdw";
        static const unsigned seconds[] = { 1, 60, 3600, 86400, 604800 };
        size_t digits = strspn(value, "0123456789");
        g_autofree char *number = g_strndup(value, digits);
        const char *unit = value[digits] ? strchr(units, value[digits]) : units;
        guint64 n;

        if (g_str_equal(value, "infinite"))
                return 0;
        if (digits == 0 || digits > 6 || !unit || (value[digits] && value[digits + 1]) ||
            !g_ascii_string_to_unsigned(number, 10, 1, 999999, &n, NULL) ||
            n * seconds[unit - units] < EXPIRY_MIN)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.32s\" is no time of two minutes or more, such as 1h, 45m, "
                                 "3d or infinite", value);
        return 0;
}

bool network_parse_hwaddr(const char *value, uint8_t ret[static 6]) {
        if (strlen(value) != 17)
                return false;
        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? value[i] != ':' : !g_ascii_isxdigit(value[i]))
                        return false;
        for (size_t i = 0; i < 6; i++)
                ret[i] = (uint8_t) (g_ascii_xdigit_value(value[3 * i]) << 4 |
                                    g_ascii_xdigit_value(value[3 * i + 1]));
        return true;
}

int network_check_hwaddr(const char *value, Error *ret_error) {
        static const uint8_t zero[6];
        uint8_t hwaddr[6];

        /* A group address is nobody's own. */
        if (!network_parse_hwaddr(value, hwaddr) || hwaddr[0] & 1 ||
            memcmp(hwaddr, zero, sizeof(zero)) == 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.32s\" is no Ethernet address such as 00:16:3e:12:34:56",
                                 value);
        return 0;
}

/* --- one family --- */

static const char *get(GVariant *config, int family, const char *name) {
        g_autofree char *key = g_strdup_printf("ipv%d.%s", family == AF_INET ? 4 : 6, name);

        return config_get(config, key);
}

static bool get_boolean(GVariant *config, int family, const char *name, bool fallback) {
        const char *value = get(config, family, name);
        bool on;

        return value && config_parse_boolean(value, &on) >= 0 ? on : fallback;
}

/* Says which key it is. */
static int wrong(int r, int family, const char *name, Error *ret_error) {
        if (r < 0)
                error_prefix(ret_error, "ipv%d.%s", family == AF_INET ? 4 : 6, name);
        return r;
}

static int read_subnet(GVariant *config, int family, NetworkFamily *f, Error *ret_error) {
        const char *value = get(config, family, "address");

        f->is_auto = !value || g_str_equal(value, "auto");
        if (f->is_auto)
                return 0;
        return wrong(subnet_parse(value, family, &f->subnet, ret_error), family, "address",
                     ret_error);
}

static int check_ranges(const NetworkFamily *f, Error *ret_error) {
        for (guint i = 0; f->subnet.family != AF_UNSPEC && i < f->ranges->len; i++) {
                const NetworkRange *range = &g_array_index(f->ranges, NetworkRange, i);
                const NetworkRange *before = i > 0 ? range - 1 : NULL;
                bool inside = subnet_can_lend(&f->subnet, &range->first) &&
                              subnet_can_lend(&f->subnet, &range->last);

                if (!inside ||
                    (subnet_compare(&range->first, &f->subnet) <= 0 &&
                     subnet_compare(&range->last, &f->subnet) >= 0)) {
                        g_autofree char *text = subnet_to_string(&f->subnet);

                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "a range must lie in the network of %s and not hold that "
                                         "address", text);
                }
                if (before && subnet_compare(&before->last, &range->first) >= 0)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "ranges must be in order and have nothing in common");
        }
        return 0;
}

static int read_dhcp(GVariant *config, int family, NetworkFamily *f, Error *ret_error) {
        const char *ranges = get(config, family, "dhcp.ranges");
        const char *expiry = get(config, family, "dhcp.expiry");
        const char *gateway = get(config, family, "dhcp.gateway");
        int r = 0;

        f->dhcp = get_boolean(config, family, "dhcp", true);
        f->stateful = family == AF_INET6 && f->dhcp &&
                      get_boolean(config, family, "dhcp.stateful", false);
        f->expiry = expiry ?: "1h";
        if (expiry)
                r = wrong(network_check_expiry(expiry, ret_error), family, "dhcp.expiry",
                          ret_error);
        if (r >= 0 && ranges) {
                r = read_list(ranges, family, read_range, f->ranges, ret_error);
                if (r >= 0)
                        r = check_ranges(f, ret_error);
                if (r >= 0 && family == AF_INET6 && !f->stateful)
                        r = error_set(ret_error, ERROR_INVALID_CONFIG,
                                      "it needs ipv6.dhcp.stateful=true");
                (void) wrong(r, family, "dhcp.ranges", ret_error);
        }
        if (r >= 0 && gateway && family == AF_INET) {
                r = subnet_parse_address(gateway, family, &f->gateway, ret_error);
                if (r >= 0 && f->subnet.family != AF_UNSPEC &&
                    !subnet_overlaps(&f->subnet, &f->gateway))
                        r = error_set(ret_error, ERROR_INVALID_CONFIG,
                                      "\"%s\" is not in the network", gateway);
                (void) wrong(r, family, "dhcp.gateway", ret_error);
        }
        return r;
}

static int read_nat(GVariant *config, int family, NetworkFamily *f, Error *ret_error) {
        const char *address = get(config, family, "nat.address");
        const char *order = get(config, family, "nat.order");
        int r = 0;

        f->nat = get_boolean(config, family, "nat", false);
        if (order) {
                r = wrong(network_check_nat_order(order, ret_error), family, "nat.order",
                          ret_error);
                f->nat_after = r == 1;
        }
        if (r >= 0 && address)
                r = wrong(subnet_parse_address(address, family, &f->nat_address, ret_error),
                          family, "nat.address", ret_error);
        return r < 0 ? r : 0;
}

static int read_family(GVariant *config, int family, NetworkFamily *f, Error *ret_error) {
        const char *routes = get(config, family, "routes");
        int r;

        f->firewall = get_boolean(config, family, "firewall", true);
        f->routing = get_boolean(config, family, "routing", true);
        r = read_subnet(config, family, f, ret_error);
        if (r >= 0)
                r = read_dhcp(config, family, f, ret_error);
        if (r >= 0)
                r = read_nat(config, family, f, ret_error);
        if (r >= 0 && routes)
                r = wrong(read_list(routes, family, read_route, f->routes, ret_error), family,
                          "routes", ret_error);
        for (guint i = 0; r >= 0 && f->subnet.family != AF_UNSPEC && i < f->routes->len; i++)
                if (subnet_overlaps(&f->subnet, &g_array_index(f->routes, Subnet, i)))
                        r = error_set(ret_error, ERROR_INVALID_CONFIG,
                                      "ipv%d.routes holds the network itself",
                                      family == AF_INET ? 4 : 6);
        return r;
}

/* --- the rest --- */

static char **split(const char *value) {
        g_auto(GStrv) items = value ? g_strsplit(value, ",", -1) : g_new0(char *, 1);

        for (char **item = items; *item; item++)
                (void) g_strstrip(*item);
        return g_steal_pointer(&items);
}

typedef struct Check {
        const char *key;
        int (*check)(const char *value, Error *ret_error);
} Check;

static int check_values(GVariant *config, Error *ret_error) {
        static const Check checks[] = {
                { "bridge.external_interfaces", network_check_interfaces },
                { "bridge.hwaddr", network_check_hwaddr },
                { "bridge.mtu", config_check_mtu },
                { "dns.domain", network_check_domain },
                { "dns.mode", network_check_dns_mode },
                { "dns.search", network_check_domains },
                { "mtu", config_check_mtu },
                { "parent", network_check_interface },
                { "raw.dnsmasq", config_check_text },
                { "vlan", network_check_vlan },
        };

        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                const char *value = config_get(config, checks[i].key);
                int r = value ? checks[i].check(value, ret_error) : 0;

                if (r < 0) {
                        error_prefix(ret_error, "%s", checks[i].key);
                        return r;
                }
        }
        return 0;
}

static int check_keys(NetworkType type, GVariant *config, Error *ret_error) {
        static const char *const parents[] = { "mtu", "parent", "vlan", NULL };
        GVariantIter iter;
        const char *key;

        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL)) {
                if (g_str_has_prefix(key, "user.") || g_str_has_prefix(key, "volatile."))
                        continue;
                if (g_strv_contains(parents, key) == (type == NETWORK_BRIDGE))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "A network of type %s has no key \"%.64s\"", types[type],
                                         key);
        }
        if (type != NETWORK_BRIDGE && !config_get(config, "parent"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "A network of type %s needs the key \"parent\": an interface of "
                                 "the host", types[type]);
        return 0;
}

static void read_rest(GVariant *config, NetworkOptions *o) {
        const char *mtu = config_get(config, o->type == NETWORK_BRIDGE ? "bridge.mtu" : "mtu");
        const char *hwaddr = config_get(config, "bridge.hwaddr");
        const char *mode = config_get(config, "dns.mode");
        uint64_t number = 0;

        if (mtu)
                (void) config_parse_integer(mtu, 0, 65535, &number);
        o->mtu = (unsigned) number;
        o->has_hwaddr = hwaddr && network_parse_hwaddr(hwaddr, o->hwaddr);
        o->external = split(config_get(config, "bridge.external_interfaces"));
        o->domain = config_get(config, "dns.domain") ?: "berth";
        if (mode)
                o->dns_mode = (NetworkDnsMode) network_check_dns_mode(mode, NULL);
        o->search = split(config_get(config, "dns.search"));
        o->raw_dnsmasq = config_get(config, "raw.dnsmasq");
        o->parent = config_get(config, "parent");
}

void network_options_done(NetworkOptions *o) {
        g_clear_pointer(&o->ipv4.ranges, g_array_unref);
        g_clear_pointer(&o->ipv4.routes, g_array_unref);
        g_clear_pointer(&o->ipv6.ranges, g_array_unref);
        g_clear_pointer(&o->ipv6.routes, g_array_unref);
        g_clear_pointer(&o->external, g_strfreev);
        g_clear_pointer(&o->search, g_strfreev);
}

static void family_init(NetworkFamily *f) {
        f->ranges = g_array_new(FALSE, FALSE, sizeof(NetworkRange));
        f->routes = g_array_new(FALSE, FALSE, sizeof(Subnet));
}

int network_options_read(NetworkType type, GVariant *config, NetworkOptions *ret,
                         Error *ret_error) {
        g_auto(NetworkOptions) o = { .type = type };
        int r;

        family_init(&o.ipv4);
        family_init(&o.ipv6);
        r = check_keys(type, config, ret_error);
        if (r >= 0)
                r = check_values(config, ret_error);
        if (r < 0)
                return r;
        read_rest(config, &o);
        if (type == NETWORK_BRIDGE) {
                r = read_family(config, AF_INET, &o.ipv4, ret_error);
                if (r >= 0)
                        r = read_family(config, AF_INET6, &o.ipv6, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = o;
        o = (NetworkOptions) { 0 };
        return 0;
}
