/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The network's operations as the tests use them: a network "testbr0" with 10.77.0.1/24 and
 * fd42:77::1/64 and the domain "berth", of which a test changes what it is about.
 */

#include <stdbool.h>

#include <glib.h>

#include "tests/unit/worker-client.h"

#define BRIDGE "testbr0"
#define RUN_DIR "/run/berth/networks/testbr0"
#define LEASE_FILE "/run/leases/testbr0"

typedef struct Network {
        const char *name, *ipv4, *ipv6, *domain, *run_dir, *lease_file;
        unsigned mtu;
        bool forward;
        const char *nics;         /* guarded, as GVariant writes aa{ss}; or NULL */
        const char *const *extra; /* more keys and values, NULL at the end; or NULL */
} Network;

#define NETWORK_DEFAULT \
        ((Network) { \
                .name = BRIDGE, \
                .ipv4 = "10.77.0.1/24", \
                .ipv6 = "fd42:77::1/64", \
                .domain = "berth", \
                .run_dir = RUN_DIR, \
                .lease_file = LEASE_FILE, \
                .forward = true, \
        })

/* Run the operation to its end, whatever that is. */
WorkerClient *network_try_up(const Network *network);
WorkerClient *network_try_down(const Network *network);
WorkerClient *network_try_firewall(const Network *network, bool nat);
WorkerClient *network_try_pick(bool ipv4, bool ipv6);
/* Lists as `nics` above; `generation` 0: now. Whether the tables took it. */
bool network_guard(const char *remove, const char *add, guint64 generation);

/* Assert success; up returns the pid of dnsmasq. */
int network_up(const Network *network);
void network_down(const Network *network);
void network_firewall(const Network *network, bool nat);
/* Removes the table. */
void network_firewall_none(void);
/* Gives the client's MAC address a name. */
void network_add_host(const char *client, const char *name);
/* Gets a lease for eth0 of the client, sending `hostname` to the server. When it was bound stands
 * in /run/bound.eth0, in nanoseconds since 1970. */
void network_get_lease(const char *client, const char *hostname);
