/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The chains of nftables' table "inet berth" that lead what is sent to an address of the host to a
 * container: forwards of networks, and proxies that translate addresses. Only addresses that the
 * host itself has are ever translated, so that nobody gets what is on its way to somewhere else.
 *
 *   prerouting, output   the address and port that are called become those of the container, for
 *                        callers from outside and on the host itself
 *   hairpin              a container that calls one on its own network in this way sees the host,
 *                        since the answer would not pass the host otherwise
 */

#include "service/worker/network/firewall.h"

/* Checks translations (see service/model/network-forward.h) and appends the chains; nothing where
 * there are none. */
int translate_append(GString *rules, GVariant *translations, const FirewallNetwork *networks,
                     size_t n_networks, Error *ret_error);
