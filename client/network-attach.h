/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Nics of containers and profiles by their network: `network attach`, `detach` and the like. */

#include "client/client.h"

/* NETWORK OBJECT [DEVICE [INTERFACE]]; without a name the device is called as the network. */
int network_run_attach(Client *c, ObjectKind kind, Error *ret_error);
/* NETWORK OBJECT [DEVICE] */
int network_run_detach(Client *c, ObjectKind kind, Error *ret_error);
