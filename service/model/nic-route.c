/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/nic-route.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/subnet.h"
#include "service/util/cleanup.h"

/* As people mostly have them, and LXD. */
#define LINK_PREFIX_IPV4 24
#define LINK_PREFIX_IPV6 64

typedef int (*ParseFunc)(const char *text, int family, Subnet *ret, Error *ret_error);

static int parse_list(const char *text, int family, ParseFunc parse, GArray **ret,
                      Error *ret_error) {
        g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(Subnet));
        g_auto(GStrv) words = g_strsplit(text, ",", (int) NIC_ROUTES_MAX + 1);

        if (g_strv_length(words) > NIC_ROUTES_MAX)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "there are more than %u of them",
                                 NIC_ROUTES_MAX);
        if (!*words)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "it is empty");
        for (char **word = words; *word; word++) {
                Subnet one;
                int r = parse(g_strstrip(*word), family, &one, ret_error);

                if (r < 0)
                        return r;
                g_array_append_val(list, one);
        }
        *ret = TAKE_PTR(list);
        return 0;
}

/* Bits behind the prefix are the host's. */
static int parse_link_address(const char *text, int family, Subnet *ret, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, "/", 2);
        uint64_t prefix = family == AF_INET ? LINK_PREFIX_IPV4 : LINK_PREFIX_IPV6;
        Subnet subnet;
        int r = subnet_parse_address(parts[0] ?: "", family, &subnet, ret_error);

        if (r < 0)
                return r;
        if (parts[1] && config_parse_integer(parts[1], 1, subnet.prefix, &prefix) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.64s\" does not end with a prefix from 1 to %u", text,
                                 subnet.prefix);
        subnet.prefix = (unsigned) prefix;
        *ret = subnet;
        return 0;
}

bool nic_is_routed(GVariant *options) {
        return g_strcmp0(config_get(options, "nictype"), "routed") == 0;
}

bool nic_is_on_link(GVariant *options) {
        return g_strcmp0(config_get(options, "nictype"), "ipvlan") == 0 &&
               g_strcmp0(config_get(options, "mode"), "l2") == 0;
}

static int read_list(GVariant *options, const char *key, int family, ParseFunc parse, GArray **ret,
                     Error *ret_error) {
        const char *text = config_get(options, key);

        if (text && !g_str_equal(text, "none"))
                return parse_list(text, family, parse, ret, ret_error);
        *ret = g_array_new(FALSE, FALSE, sizeof(Subnet));
        return 0;
}

int nic_read_addresses(GVariant *options, int family, GArray **ret, Error *ret_error) {
        return read_list(options, family == AF_INET ? "ipv4.address" : "ipv6.address", family,
                         nic_is_on_link(options) ? parse_link_address : subnet_parse_address, ret,
                         ret_error);
}

int nic_read_routes(GVariant *options, int family, GArray **ret, Error *ret_error) {
        return read_list(options, family == AF_INET ? "ipv4.routes" : "ipv6.routes", family,
                         subnet_parse_route, ret, ret_error);
}

/* The wider of two that overlap is both of them. */
static void add_apart(GArray *list, const Subnet *subnet) {
        for (guint i = 0; i < list->len;) {
                const Subnet *other = &g_array_index(list, Subnet, i);

                if (!subnet_overlaps(other, subnet)) {
                        i++;
                        continue;
                }
                if (other->prefix <= subnet->prefix)
                        return;
                g_array_remove_index_fast(list, i);
        }
        g_array_append_val(list, *subnet);
}

static void add_all_apart(GArray *list, const GArray *subnets) {
        for (guint i = 0; i < subnets->len; i++)
                add_apart(list, &g_array_index(subnets, Subnet, i));
}

int nic_read_routed(GVariant *options, int family, GArray **ret, Error *ret_error) {
        g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Subnet));
        g_autoptr(GArray) addresses = NULL, routes = NULL;
        int r;

        r = nic_read_addresses(options, family, &addresses, ret_error);
        if (r >= 0)
                r = nic_read_routes(options, family, &routes, ret_error);
        if (r < 0)
                return r;
        add_all_apart(all, addresses);
        add_all_apart(all, routes);
        *ret = TAKE_PTR(all);
        return 0;
}

/* --- values --- */

static int check_list(const char *value, int family, ParseFunc parse, Error *ret_error) {
        g_autoptr(GArray) unused = NULL;
        g_auto(Error) error = ERROR_INIT;

        if (parse_list(value, family, parse, &unused, &error) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "of IPv%d: %s",
                                 family == AF_INET ? 4 : 6, error.message);
        return 0;
}

static int check_one(const char *value, int family, Error *ret_error) {
        if (strchr(value, ','))
                return error_set(ret_error, ERROR_INVALID_DEVICE, "there can be one only");
        return check_list(value, family, subnet_parse_address, ret_error);
}

static int check_addresses(const char *value, int family, ParseFunc parse, Error *ret_error) {
        return g_str_equal(value, "none") ? 0 : check_list(value, family, parse, ret_error);
}

int nic_check_addresses_ipv4(const char *value, Error *ret_error) {
        return check_addresses(value, AF_INET, parse_link_address, ret_error);
}

int nic_check_addresses_ipv6(const char *value, Error *ret_error) {
        return check_addresses(value, AF_INET6, parse_link_address, ret_error);
}

int nic_check_routes_ipv4(const char *value, Error *ret_error) {
        return check_list(value, AF_INET, subnet_parse_route, ret_error);
}

int nic_check_routes_ipv6(const char *value, Error *ret_error) {
        return check_list(value, AF_INET6, subnet_parse_route, ret_error);
}

static bool is_gateway_word(const char *value) {
        return g_str_equal(value, "auto") || g_str_equal(value, "none");
}

int nic_check_gateway_ipv4(const char *value, Error *ret_error) {
        return is_gateway_word(value) ? 0 : check_one(value, AF_INET, ret_error);
}

int nic_check_gateway_ipv6(const char *value, Error *ret_error) {
        return is_gateway_word(value) ? 0 : check_one(value, AF_INET6, ret_error);
}

int nic_check_host_address_ipv4(const char *value, Error *ret_error) {
        return check_one(value, AF_INET, ret_error);
}

int nic_check_host_address_ipv6(const char *value, Error *ret_error) {
        return check_one(value, AF_INET6, ret_error);
}

int nic_check_table(const char *value, Error *ret_error) {
        uint64_t unused;

        if (config_parse_integer(value, 1, G_MAXUINT32, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.32s\" is no number of a table of routes", value);
        return 0;
}

/* --- what concerns several options --- */

static int check_options(GVariant *options, const char *const *keys, const char *for_what,
                         Error *ret_error) {
        for (; *keys; keys++)
                if (config_get(options, *keys))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for nics of type %s", *keys, for_what);
        return 0;
}

static bool has_address(GVariant *options, const char *key) {
        const char *value = config_get(options, key);

        return value && !g_str_equal(value, "none");
}

/* What differs with the way that packets take: prefixes, and how a gateway is named. */
static int check_family(GVariant *options, int family, const char *address_key,
                        const char *gateway_key, Error *ret_error) {
        const char *address = config_get(options, address_key);
        const char *gateway = config_get(options, gateway_key);
        bool on_link = nic_is_on_link(options);

        if (gateway && on_link && g_str_equal(gateway, "auto"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%s\" of ipvlan in mode l2 is an address, or none", gateway_key);
        if (gateway && !on_link && !is_gateway_word(gateway))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%s\" is neither auto nor none: an address is for ipvlan in "
                                 "mode l2", gateway_key);
        if (!address || on_link)
                return 0;
        return check_addresses(address, family, subnet_parse_address, ret_error);
}

int nic_check_routed(GVariant *options, Error *ret_error) {
        static const char *const gateways[] = { "ipv4.gateway", "ipv6.gateway", NULL };
        static const char *const routed_only[] = {
                "ipv4.host_address", "ipv6.host_address", "ipv4.host_table", "ipv6.host_table",
                NULL,
        };
        static const char *const routes[] = { "ipv4.routes", "ipv6.routes", NULL };
        const char *nictype = config_get(options, "nictype") ?: "bridged";
        bool routed = g_str_equal(nictype, "routed");
        int r = 0;

        if (!routed)
                r = check_options(options, routed_only, "routed", ret_error);
        if (r >= 0 && !routed && !g_str_equal(nictype, "ipvlan"))
                r = check_options(options, gateways, "routed and ipvlan", ret_error);
        if (r >= 0 && !routed && !g_str_equal(nictype, "p2p"))
                r = check_options(options, routes, "routed and p2p", ret_error);
        if (r >= 0)
                r = check_family(options, AF_INET, "ipv4.address", "ipv4.gateway", ret_error);
        if (r >= 0)
                r = check_family(options, AF_INET6, "ipv6.address", "ipv6.gateway", ret_error);
        if (r < 0 || !routed)
                return r;
        if (!has_address(options, "ipv4.address") && !has_address(options, "ipv6.address"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "a routed nic needs an \"ipv4.address\" or an \"ipv6.address\"");
        return 0;
}
