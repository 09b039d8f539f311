/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The rules of nftables' table "bridge berth": what nics of containers may send on a bridge that
 * they share. A nic is known by the name of the host's end of its veth pair, so rules can be there
 * before it is, and it is never up without them. They come before everything else that a bridge
 * does with a frame (prerouting, ahead of all usual priorities), so that neither another container
 * nor the host ever sees what they drop:
 *
 *   mac    frames, and ARP, from another Ethernet address than the nic's own
 *   ipv4   ARP and IPv4 from another address than the nic's own; answers of DHCP, and requests for
 *          another Ethernet address, by which one could take, or give back, the leases of many
 *   ipv6   IPv6 and neighbour advertisements for another address than the nic's own; router
 *          advertisements, redirects, answers of DHCPv6
 *   both   whatever is neither ARP nor IP, such as a frame within a frame of a VLAN, which the one
 *          who gets it may unpack
 *
 * An address that a nic is looking for, as DHCP and duplicate address detection do, is no claim to
 * it. What is isolated reaches nothing else that is.
 *
 * All nics share a handful of rules; which nic may use what is in sets, so that it costs the same
 * for one as for thousands.
 */

#include <glib.h>

#include "service/util/error.h"

/* Checks nics (aa{ss}, as container_nic_describe() has them) and appends the table to `rules`.
 * Returns whether any of them is guarded. */
int guard_append_rules(GString *rules, GVariant *nics, Error *ret_error);
/* The same for a table that is there: appends what must be added to its sets for these nics, or
 * deleted; `verb` "add" or "delete". */
int guard_append_elements(GString *rules, const char *verb, GVariant *nics, Error *ret_error);
