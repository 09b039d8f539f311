/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rates of network interfaces that have an end on the host. All of it is done at that end, which
 * the container cannot reach: what goes to the container passes a token bucket there; what comes
 * from it is redirected to an interface of type ifb, made for the purpose, and passes one on that.
 * LXC-PATH/shapers has an empty file named as each of these, so that they go with the container.
 */

#include <glib.h>

#include "service/util/error.h"

/* Makes the rates of a nic (as in OPERATION_START) what its "limits.ingress" (to the container),
 * "limits.egress" (from it) and "limits.max" (both) say; also when they say nothing any more. */
int nic_limits_apply(int path_fd, GVariant *nic, Error *ret_error);
/* Takes away what was made for a nic that goes. */
void nic_limits_remove(int path_fd, GVariant *nic);
/* The same for all of a container that has ended. */
void nic_limits_remove_all(int path_fd);
