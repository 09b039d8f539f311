/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The rules of nftables' table "inet berth", made anew as a whole in one transaction together with
 * those of "bridge berth" (guard.h), of which nics that come and go change no more than the sets:
 *
 *   input        what comes from a bridge to the host itself: DHCP, DNS to the bridge's own
 *                addresses, what ICMP needs, and answers; everything else is dropped, so that a
 *                container cannot reach the services of its host
 *   forward      what goes from and to a bridge is accepted, or dropped where it is not to be
 *                routed
 *   prerouting, output, hairpin
 *                addresses of the host that lead to containers, see translate.h
 *   postrouting, postrouting-after
 *                masquerading, where the network wants it, before or after the rules of others
 *
 * The chains stand at the usual priorities (filter, just before and after srcnat). A packet must
 * pass the chains of every table: accepting it here does not help one that another table drops, as
 * Docker's forward policy or firewalld's zones do; the other way round, no other table can open
 * what is dropped here. No other table is ever touched.
 *
 * The rules are text for libnftables, put together only from names and addresses that have passed
 * word_check_network() and network_options_read().
 */

#include <stdbool.h>
#include <stddef.h>

#include "service/model/network-options.h"
#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct FirewallNetwork FirewallNetwork;

struct FirewallNetwork {
        const char *name;
        NetworkOptions options;
};

/* The commands that replace the table; only its removal where there are no networks. */
int firewall_rules(const FirewallNetwork *networks, size_t n_networks, GVariant *translations,
                   char **ret, Error *ret_error);
int firewall_apply(const char *rules, Error *ret_error);

/* The operations "network.firewall" and "network.guard". */
int firewall_operation(Worker *worker, GVariantDict *result, Error *ret_error);
int firewall_guard_operation(Worker *worker, GVariantDict *result, Error *ret_error);
