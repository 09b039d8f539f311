/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with networks. A network that exists is kept up: its bridge, its rules in
 * nftables, its dnsmasq (the "resolver", which answers DHCP and names). When one of them goes away,
 * whoever did it, it is put back.
 */

#include "service/operation/container.h"

typedef struct Resolver Resolver;

typedef struct NetworkCreate {
        const char *name, *type;
        const char *description; /* may be NULL */
        GVariant *config;        /* a{ss} */
} NetworkCreate;

int network_create(Manager *m, Caller caller, const NetworkCreate *args, Job **ret,
                   Error *ret_error);
int network_delete(Manager *m, Caller caller, Network *network, Job **ret, Error *ret_error);
/* Brings up what is recorded, at the start of the service or after a mishap. */
int network_bring_up(Manager *m, Network *network, Job **ret, Error *ret_error);

/* For a step: waits until the network is up. */
int step_wait_for_network(Job *job, const char *name, Error *ret_error);

/* The name that a container's Ethernet address stands for, told to the network's dnsmasq, and the
 * end of that for all networks. */
int network_add_host(Manager *m, const char *network, const char *container, const char *device,
                     const char *hwaddr, Error *ret_error);
void network_remove_hosts(Manager *m, const char *container);

/* For FirewallWatch: somebody has taken our rules away. */
void network_firewall_lost(void *manager);

void resolver_free(void *resolver);
