/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A managed bridge: its configuration as stored, and what follows from it. */

#include <stdbool.h>

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
        char *description;
        GVariant *config;   /* a{ss}; addresses never "auto" once it is created */
} Network;

Network *network_new(const char *name, uid_t owner);
Network *network_free(Network *network);

GVariant *network_to_record(const Network *network);
/* -EBADMSG when the record makes no sense. */
int network_from_record(const char *name, GVariant *record, Network **ret);

const char *network_state_to_string(NetworkState state);
/* "ADDRESS/PREFIX" or "none". */
const char *network_get_ipv4(const Network *network);
const char *network_get_ipv6(const Network *network);
bool network_has_nat(const Network *network, const char *key);
const char *network_get_domain(const Network *network);
unsigned network_get_mtu(const Network *network);

/* Validators of configuration keys. */
int network_check_ipv4(const char *value, Error *ret_error);
int network_check_ipv6(const char *value, Error *ret_error);
int network_check_domain(const char *value, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Network, network_free)
