/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The rules of nftables' tables about what nics of containers may send: "bridge berth" of those on
 * a bridge that they share, and, at the end, "inet berth" of those that are routed to. A nic is
 * known by the name of the host's end of its veth pair, so rules can be there before it is, and it
 * is never up without them. They come before everything else that is done with a frame
 * (prerouting, ahead of all usual priorities), so that neither another container nor the host ever
 * sees what they drop:
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
 * A nic that is routed to is on a link with the host alone: what it sends as IP comes from an
 * address or a net that is led to it, or from the link itself, and it is no router. The kernel's
 * own filter (rp_filter) knows IPv4 alone, and is as weak as that of all interfaces.
 *
 * All nics share a handful of rules; which nic may use what is in sets, so that it costs the same
 * for one as for thousands.
 */

#include <glib.h>

#include "service/util/error.h"

/* Checks nics (aa{ss}, as container_nic_describe() has them) and appends the tables to `rules`.
 * Returns whether any of them is guarded. */
int guard_append_rules(GString *rules, GVariant *nics, Error *ret_error);
/* The same for tables that are there: appends what must be added to its sets for these nics, or
 * deleted; `verb` "add" or "delete". */
int guard_append_elements(GString *rules, const char *verb, GVariant *nics, Error *ret_error);
