/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An address with its prefix length, such as "10.61.3.1/24": what a network's bridge has, and what
 * routes lead to. Bytes are in network order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct Subnet Subnet;

struct Subnet {
        int family;        /* AF_INET, AF_INET6; AF_UNSPEC where there is none */
        unsigned prefix;
        uint8_t bytes[16]; /* the first 4 for AF_INET */
};

#define SUBNET_NONE ((Subnet) { 0 })

/* Reads ADDRESS/PREFIX of the given family, or "none". Only what a bridge can serve containers
 * from: an IPv4 host address with a prefix of 8 to 30; a global or unique local IPv6 address with a
 * prefix of 64, the only one that containers configure themselves in. */
int subnet_parse(const char *text, int family, Subnet *ret, Error *ret_error);
/* Reads an address without a prefix length, which is then the whole of it; any that is no group's,
 * unspecified or of the loopback. */
int subnet_parse_address(const char *text, int family, Subnet *ret, Error *ret_error);
/* Reads the ADDRESS/PREFIX of a route: no bits behind the prefix. */
int subnet_parse_route(const char *text, int family, Subnet *ret, Error *ret_error);
/* Any address of a family, of a route for example; bits that `address` lacks are 0. */
Subnet subnet_new(int family, const void *address, size_t size, unsigned prefix);

/* "10.61.3.1", "10.61.3.1/24", "10.61.3.0/24" */
char *subnet_address_to_string(const Subnet *subnet);
char *subnet_to_string(const Subnet *subnet);
char *subnet_network_to_string(const Subnet *subnet);

size_t subnet_size(const Subnet *subnet); /* bytes of an address: 4 or 16, 0 for none */
bool subnet_equal(const Subnet *a, const Subnet *b);
/* Whether the networks have an address in common. */
bool subnet_overlaps(const Subnet *a, const Subnet *b);
/* Whether it is an address that containers can have: in the network, and neither its first (for
 * IPv4 also its last) nor the bridge's own. */
bool subnet_can_lend(const Subnet *subnet, const Subnet *address);
/* As numbers: < 0, 0, > 0; of one family. */
int subnet_compare(const Subnet *a, const Subnet *b);
/* The address in the network (of IPv6, with a prefix of 64) that a host with this Ethernet address
 * makes itself (RFC 4291, appendix A). */
Subnet subnet_eui64(const Subnet *subnet, const uint8_t hwaddr[static 6]);

/* IPv4 only: first and last address to lend to containers (all but network, broadcast, and the own
 * address where it is the first), netmask and broadcast address. */
Subnet subnet_first_host(const Subnet *subnet);
Subnet subnet_last_host(const Subnet *subnet);
Subnet subnet_netmask(const Subnet *subnet);
Subnet subnet_broadcast(const Subnet *subnet);
/* The address as a number. */
uint32_t subnet_to_uint32(const Subnet *subnet);
