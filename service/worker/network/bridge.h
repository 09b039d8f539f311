/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bridge of a network: a Linux bridge without spanning tree, whose MAC address comes from its
 * name where none is configured. That address, or the alias "berth", is also the mark by which a
 * bridge is known as berth's own: one that somebody else made is neither changed nor removed,
 * whatever a network is called.
 *
 * The host's side of a bridge trusts nothing that arrives on it: no router advertisement, redirect
 * or autoconfiguration from a container is followed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/model/network-options.h"
#include "service/util/error.h"

typedef struct BridgeConfig BridgeConfig;

struct BridgeConfig {
        const char *name;
        const NetworkOptions *options;
        const char *run_dir;
        bool strict;       /* interfaces of the host that are to be on it must be there */
};

typedef enum BridgeChange {
        BRIDGE_UNCHANGED,
        BRIDGE_CHANGED,    /* other addresses than before */
        BRIDGE_CREATED,
} BridgeChange;

/* Makes the bridge or corrects the one there is, and sets it up. A bridge that was made here and
 * could not be set up is removed again. */
int bridge_up(const BridgeConfig *config, BridgeChange *ret_change, Error *ret_error);
/* Removes it; fine where there is none, or one that is not ours. */
int bridge_down(const char *name, Error *ret_error);

/* Turns forwarding on the bridge off. */
int bridge_forward_not(const char *name, int family, Error *ret_error);
/* Turns on forwarding of IPv4 or IPv6 on the host and the bridge. For IPv6 the interfaces that have
 * their default route from router advertisements are told to keep listening (accept_ra=2): the
 * kernel makes routers deaf to them, and the host would lose its way out. This is not undone, since
 * nobody can know who else has come to rely on it. */
int bridge_forward(const char *name, int family, Error *ret_error);
