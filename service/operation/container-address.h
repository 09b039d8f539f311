/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The addresses that nics on bridges of ours have by configuration: those that their options name,
 * and the IPv4 address that each other nic is given once and keeps, in the volatile configuration
 * of its container ("volatile.DEVICE.ipv4.address"). dnsmasq hands out these and no others, and no
 * two containers have the same, whichever way they came by it. In IPv6 a nic without an address of
 * its own has the one that follows from its Ethernet address (SLAAC).
 */

#include "service/operation/manager.h"

/* Whether the addresses in a container's devices (expanded) fit their networks and are nobody
 * else's. `container` NULL: one that is to be. ERROR_INVALID_DEVICE; ERROR_IN_USE, naming who has
 * it. */
int container_addresses_check(Manager *m, const char *container, GVariant *devices,
                              Error *ret_error);
/* Gives a nic that is about to be used its IPv4 address, where it has none, or one that its network
 * cannot lend any more. The Ethernet address must have been chosen. */
int container_address_choose(Manager *m, Container *c, const char *device, GVariant *options,
                             Error *ret_error);

/* What a nic has of "hwaddr" and "ipv4.address": from its options, or chosen. NULL for none. */
const char *container_address_get(const Container *c, const char *device, GVariant *options,
                                  const char *key);
/* Its IPv6 address in the network, to be freed: from its options, or by its Ethernet address. NULL
 * where the network has no IPv6, or the option says "none". */
char *container_address_get_ipv6(Manager *m, const Container *c, const char *device,
                                 GVariant *options);

/* The container that has an address: of a nic's option "hwaddr", "ipv4.address" or "ipv6.address",
 * or chosen for it. NULL where nobody has it. */
const Container *container_address_find(Manager *m, const char *key, const char *value);
