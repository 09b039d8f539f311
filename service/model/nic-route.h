/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Nics of type "routed": the host leads packets for the addresses of a container to it, and answers
 * for them on the link of its parent; the container knows no more of the net than the host's end,
 * which is its gateway. Those of type "ipvlan", which do the same with one link less, or in mode l2
 * have addresses as on the link itself. And routes of the host that lead to a nic.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

#define NIC_GATEWAY_IPV4 "169.254.0.1"
#define NIC_GATEWAY_IPV6 "fe80::1"
/* Addresses or routes of one nic. */
#define NIC_ROUTES_MAX 64U

bool nic_is_routed(GVariant *options);
/* A nic of ipvlan in mode l2. */
bool nic_is_on_link(GVariant *options);
/* What a nic has of "10.0.0.5,10.0.0.6" or "none", as Subnets: with the whole of an address for a
 * prefix, or on a link with that of "10.0.0.5/24", which is 24 where it is not said, of IPv6 64. */
int nic_read_addresses(GVariant *options, int family, GArray **ret, Error *ret_error);
/* And of "10.1.0.0/16", the routes that lead to it. */
int nic_read_routes(GVariant *options, int family, GArray **ret, Error *ret_error);
/* All that is led to a nic, addresses and routes, as Subnets of which none is within another. */
int nic_read_routed(GVariant *options, int family, GArray **ret, Error *ret_error);

/* For the table of devices: values, options together. */
int nic_check_addresses_ipv4(const char *value, Error *ret_error);
int nic_check_addresses_ipv6(const char *value, Error *ret_error);
int nic_check_routes_ipv4(const char *value, Error *ret_error);
int nic_check_routes_ipv6(const char *value, Error *ret_error);
int nic_check_gateway_ipv4(const char *value, Error *ret_error);
int nic_check_gateway_ipv6(const char *value, Error *ret_error);
int nic_check_host_address_ipv4(const char *value, Error *ret_error);
int nic_check_host_address_ipv6(const char *value, Error *ret_error);
int nic_check_table(const char *value, Error *ret_error);
int nic_check_routed(GVariant *options, Error *ret_error);
