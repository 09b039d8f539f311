/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/subnet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define PREFIX_IPV4_MIN 8
#define PREFIX_IPV4_MAX 30
#define PREFIX_IPV6 64

size_t subnet_size(const Subnet *subnet) {
        switch (subnet->family) {
        case AF_INET:
                return 4;
        case AF_INET6:
                return 16;
        default:
                return 0;
        }
}

Subnet subnet_new(int family, const void *address, size_t size, unsigned prefix) {
        Subnet subnet = { .family = family, .prefix = prefix };

        memcpy(subnet.bytes, address, MIN(size, subnet_size(&subnet)));
        return subnet;
}

static Subnet subnet_from_uint32(uint32_t address, unsigned prefix) {
        uint32_t be = htonl(address);

        return subnet_new(AF_INET, &be, sizeof(be), prefix);
}

uint32_t subnet_to_uint32(const Subnet *subnet) {
        uint32_t be;

        g_assert(subnet->family == AF_INET);
        memcpy(&be, subnet->bytes, sizeof(be));
        return ntohl(be);
}

static uint32_t netmask(unsigned prefix) {
        return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

static uint32_t broadcast(const Subnet *subnet) {
        return subnet_to_uint32(subnet) | ~netmask(subnet->prefix);
}

Subnet subnet_netmask(const Subnet *subnet) {
        return subnet_from_uint32(netmask(subnet->prefix), subnet->prefix);
}

Subnet subnet_broadcast(const Subnet *subnet) {
        return subnet_from_uint32(broadcast(subnet), subnet->prefix);
}

Subnet subnet_first_host(const Subnet *subnet) {
        uint32_t first = (subnet_to_uint32(subnet) & netmask(subnet->prefix)) + 1;

        return subnet_from_uint32(first == subnet_to_uint32(subnet) ? first + 1 : first,
                                  subnet->prefix);
}

Subnet subnet_last_host(const Subnet *subnet) {
        uint32_t last = broadcast(subnet) - 1;

        return subnet_from_uint32(last == subnet_to_uint32(subnet) ? last - 1 : last,
                                  subnet->prefix);
}

static bool is_servable_ipv4(const Subnet *subnet) {
        uint32_t address = subnet_to_uint32(subnet);
        uint32_t network = address & netmask(subnet->prefix);

        return address >> 24 != 0 && address >> 24 != 127 && address >> 24 < 224 &&
               address >> 16 != 0xa9fe /* 169.254, link-local */ && address != network &&
               address != broadcast(subnet);
}

static bool is_servable_ipv6(const Subnet *subnet) {
        static const uint8_t zero[8];

        /* 2000::/3 and fc00::/7; the host part 0 belongs to all routers (RFC 4291, 2.6.1). */
        return ((subnet->bytes[0] & 0xe0) == 0x20 || (subnet->bytes[0] & 0xfe) == 0xfc) &&
               memcmp(subnet->bytes + 8, zero, sizeof(zero)) != 0;
}

static int subnet_check(const Subnet *subnet, const char *text, Error *ret_error) {
        if (subnet->family == AF_INET) {
                if (subnet->prefix < PREFIX_IPV4_MIN || subnet->prefix > PREFIX_IPV4_MAX)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "Address \"%s\" has a prefix length that cannot be "
                                         "served; use one of %d to %d",
                                         text, PREFIX_IPV4_MIN, PREFIX_IPV4_MAX);
                if (!is_servable_ipv4(subnet))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "Address \"%s\" is not one that a host can have", text);
                return 0;
        }

        if (subnet->prefix != PREFIX_IPV6)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Address \"%s\" has a prefix length that containers cannot "
                                 "configure themselves in; use %d",
                                 text, PREFIX_IPV6);
        if (!is_servable_ipv6(subnet))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Address \"%s\" is not a global or unique local address of a host",
                                 text);
        return 0;
}

int subnet_parse(const char *text, int family, Subnet *ret, Error *ret_error) {
        Subnet subnet = { .family = family };
        g_auto(GStrv) parts = NULL;
        guint64 prefix;
        int r;

        if (g_str_equal(text, "none")) {
                *ret = SUBNET_NONE;
                return 0;
        }

        parts = g_strsplit(text, "/", -1);
        if (g_strv_length(parts) != 2 || inet_pton(family, parts[0], subnet.bytes) != 1 ||
            !g_ascii_string_to_unsigned(parts[1], 10, 0, 128, &prefix, NULL))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no %s address with a prefix length, such as \"%s\"",
                                 text, family == AF_INET ? "IPv4" : "IPv6",
                                 family == AF_INET ? "10.61.3.1/24" : "fd42:1:2:3::1/64");
        subnet.prefix = (unsigned) prefix;
        r = subnet_check(&subnet, text, ret_error);
        if (r < 0)
                return r;

        *ret = subnet;
        return 0;
}

static int parse_plain(const char *text, int family, Subnet *ret, Error *ret_error) {
        Subnet subnet = { .family = family, .prefix = family == AF_INET ? 32 : 128 };

        if (inet_pton(family, text, subnet.bytes) != 1)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no %s address such as \"%s\"", text,
                                 family == AF_INET ? "IPv4" : "IPv6",
                                 family == AF_INET ? "10.61.3.10" : "fd42:1:2:3::10");
        *ret = subnet;
        return 0;
}

static bool is_zero(const Subnet *subnet) {
        static const uint8_t zero[16];

        return memcmp(subnet->bytes, zero, subnet_size(subnet)) == 0;
}

static bool is_host(const Subnet *address) {
        Subnet loopback = { .family = AF_INET6, .bytes = { [15] = 1 } };

        if (address->family == AF_INET)
                return address->bytes[0] != 0 && address->bytes[0] != 127 &&
                       address->bytes[0] < 224;
        return !is_zero(address) && address->bytes[0] != 0xff &&
               memcmp(address->bytes, loopback.bytes, 16) != 0;
}

int subnet_parse_address(const char *text, int family, Subnet *ret, Error *ret_error) {
        Subnet address;
        int r = parse_plain(text, family, &address, ret_error);

        if (r < 0)
                return r;
        if (!is_host(&address))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is not the address of a host", text);
        *ret = address;
        return 0;
}

/* Clears the bits behind the prefix. */
static Subnet subnet_network(const Subnet *subnet) {
        Subnet network = *subnet;

        for (size_t i = 0; i < sizeof(network.bytes); i++) {
                size_t first_bit = i * 8;

                if (first_bit >= network.prefix)
                        network.bytes[i] = 0;
                else if (network.prefix - first_bit < 8)
                        network.bytes[i] &= (uint8_t) (0xff << (8 - (network.prefix - first_bit)));
        }
        return network;
}

int subnet_parse_route(const char *text, int family, Subnet *ret, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, "/", -1);
        unsigned max = family == AF_INET ? 32 : 128;
        Subnet subnet, network;
        guint64 prefix;
        int r;

        if (g_strv_length(parts) != 2 ||
            !g_ascii_string_to_unsigned(parts[1], 10, 1, max, &prefix, NULL))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no network such as \"%s\"", text,
                                 family == AF_INET ? "10.62.0.0/16" : "fd42:1:2:4::/64");
        r = parse_plain(parts[0], family, &subnet, ret_error);
        if (r < 0)
                return r;
        subnet.prefix = (unsigned) prefix;
        network = subnet_network(&subnet);
        if (!subnet_equal(&subnet, &network))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" has bits behind its prefix length", text);
        *ret = subnet;
        return 0;
}

bool subnet_equal(const Subnet *a, const Subnet *b) {
        return a->family == b->family && a->prefix == b->prefix &&
               memcmp(a->bytes, b->bytes, subnet_size(a)) == 0;
}

bool subnet_overlaps(const Subnet *a, const Subnet *b) {
        Subnet x = *a, y = *b;

        x.prefix = y.prefix = MIN(a->prefix, b->prefix);
        x = subnet_network(&x);
        y = subnet_network(&y);
        return subnet_equal(&x, &y);
}

int subnet_compare(const Subnet *a, const Subnet *b) {
        g_assert(a->family == b->family);
        return memcmp(a->bytes, b->bytes, subnet_size(a));
}

bool subnet_can_lend(const Subnet *subnet, const Subnet *address) {
        Subnet network = subnet_network(subnet);

        if (subnet->family != address->family || !subnet_overlaps(subnet, address) ||
            subnet_compare(address, subnet) == 0 || subnet_compare(address, &network) == 0)
                return false;
        return subnet->family != AF_INET || subnet_to_uint32(address) != broadcast(subnet);
}

Subnet subnet_eui64(const Subnet *subnet, const uint8_t hwaddr[static 6]) {
        Subnet address = *subnet;
        const uint8_t id[] = {
                hwaddr[0] ^ 0x02, hwaddr[1], hwaddr[2], 0xff, 0xfe, hwaddr[3], hwaddr[4], hwaddr[5],
        };

        g_assert(subnet->family == AF_INET6);
        memcpy(address.bytes + 8, id, sizeof(id));
        address.prefix = 128;
        return address;
}

char *subnet_address_to_string(const Subnet *subnet) {
        char buffer[INET6_ADDRSTRLEN];
        const char *text = inet_ntop(subnet->family, subnet->bytes, buffer, sizeof(buffer));

        g_assert(text);
        return g_strdup(text);
}

char *subnet_to_string(const Subnet *subnet) {
        g_autofree char *address = NULL;

        if (subnet->family == AF_UNSPEC)
                return g_strdup("none");
        address = subnet_address_to_string(subnet);
        return g_strdup_printf("%s/%u", address, subnet->prefix);
}

char *subnet_network_to_string(const Subnet *subnet) {
        Subnet network = subnet_network(subnet);

        return subnet_to_string(&network);
}
