/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A network that the service keeps: its configuration as stored, and what follows from it. A bridge
 * is made and kept up by the service; networks of the other types are names for interfaces of the
 * host that containers share (macvlan) or get (physical).
 */

#include <stdbool.h>

#include "service/model/network-forward.h"
#include "service/model/network-options.h"
#include "service/model/object.h"
#include "service/util/error.h"

typedef enum NetworkState {
        NETWORK_CREATING,
        NETWORK_DOWN,
        NETWORK_UP,
        NETWORK_DELETING,
        NETWORK_ERROR,
        _NETWORK_STATE_MAX,
} NetworkState;

typedef struct Network {
        Object object;
        NetworkState state; /* only creating and deleting are recorded */
        NetworkType type;
        char *description;
        GVariant *config;   /* a{ss}; addresses never "auto" once it is created */
        char *rename_to;    /* a rename is under way, or NULL */
        GVariant *trial;    /* a{ss}: what is being put in its place, or NULL; not recorded */
        GVariant *forwards; /* FORWARDS_TYPE */
        GVariant *trial_forwards; /* as `trial` */
        char *error;        /* why it is in state error, or NULL; not recorded */
        bool resolver_lost; /* its dnsmasq has ended by itself, and nobody has looked yet */
} Network;

Network *network_new(const char *name, uid_t owner);
Network *network_free(Network *network);

GVariant *network_to_record(const Network *network);
/* -EBADMSG when the record makes no sense. */
int network_from_record(const char *name, GVariant *value, Network **ret);

const char *network_state_to_string(NetworkState state);
/* What is in effect, or is to be. */
GVariant *network_get_config(const Network *network);
GVariant *network_get_forwards(const Network *network);
/* "ADDRESS/PREFIX" or "none". */
const char *network_get_ipv4(const Network *network);
const char *network_get_ipv6(const Network *network);
unsigned network_get_mtu(const Network *network);
/* Its options; all at their defaults where the configuration makes no sense (an old record). */
void network_read_options(const Network *network, NetworkOptions *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Network, network_free)
