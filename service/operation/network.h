/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with networks. A bridge that exists is kept up: the interface, its rules in
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

/* What the caller must be granted for that configuration; checks it. */
int network_create_privilege(const NetworkCreate *args, PrivilegeChange *ret, Error *ret_error);
int network_create(Manager *m, Caller caller, const NetworkCreate *args, Job **ret,
                   Error *ret_error);

typedef struct NetworkUpdate {
        GVariant *set, *unset;   /* a{ss}, as */
        const char *description; /* NULL: as it is */
        const uint64_t *if_revision;
} NetworkUpdate;

int network_update_privilege(const Network *network, const NetworkUpdate *update,
                             PrivilegeChange *ret, Error *ret_error);
/* All of it or nothing: what cannot be put into effect is taken back. */
int network_update(Manager *m, Caller caller, Network *network, const NetworkUpdate *update,
                   Job **ret, Error *ret_error);
typedef struct NetworkForward {
        const char *listen;      /* address */
        GVariant *value;         /* FORWARD_TYPE; NULL: it is deleted */
        bool create;             /* it must not be there yet */
        const uint64_t *if_revision;
} NetworkForward;

/* Makes, replaces or deletes a forward; all of it or nothing, as network_update(). */
int network_set_forward(Manager *m, Caller caller, Network *network, const NetworkForward *forward,
                        Job **ret, Error *ret_error);
/* Only where nothing uses it. */
int network_rename(Manager *m, Caller caller, Network *network, const char *name, Job **ret,
                   Error *ret_error);
int network_delete(Manager *m, Caller caller, Network *network, Job **ret, Error *ret_error);
/* Brings up what is recorded, at the start of the service or after a mishap. */
int network_bring_up(Manager *m, Network *network, Job **ret, Error *ret_error);

/* a(sssst): name of the container or what it calls itself, Ethernet address, address, "static",
 * "dynamic" or "gateway", when the lease ends (µs since 1970, 0: never). Floating. */
GVariant *network_get_leases(Manager *m, const Network *network);

/* a{sv}, floating: see introspection/org.berth1.Network.xml. */
int network_get_state(const Network *network, GVariant **ret, Error *ret_error);

/* For a step: waits until the network is up. */
int step_wait_for_network(Job *job, const char *name, Error *ret_error);

/* What a nic's Ethernet address stands for. */
typedef struct NetworkHost {
        const char *container, *device;
        const char *hwaddr;
        const char *ipv4, *ipv6; /* may be NULL: none in particular */
} NetworkHost;

/* Tells the network's dnsmasq about it; the end of that for all nics of a container. */
int network_add_host(Manager *m, const char *network, const NetworkHost *host, Error *ret_error);
void network_remove_hosts(Manager *m, const char *container);
/* Makes what was told of all containers what they are now: forgets the nics that have gone or are
 * on another network, and corrects the addresses of the others. */
void network_settle_hosts(Manager *m);
/* The same for one that has come up: the service may have been killed before it took back what did
 * not come about. */
void network_settle_hosts_of(Manager *m, const char *network);

void resolver_free(void *resolver);
/* When a job has ended: starts what ended while it was at work. */
void network_restart_resolvers(Manager *m);
