/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which VLANs of a bridge the host's end of a nic is a port of: "vlan" and "vlan.tagged". At
 * a start liblxc does what nic_port_apply() does. */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/nic-netlink.h"

/* Whether its bridge tells VLANs apart. Fine where none are asked for. */
int nic_port_check(GVariant *nic, Error *ret_error);
/* `link` is the host's end, a port of the bridge. */
int nic_port_apply(NicSocket *sock, NicLink *link, GVariant *nic);
