/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The host's side of nics that it routes to (routed, and p2p with routes), and addresses and
 * default route inside, also of ipvlan. All of it but one thing goes with the nic: what the host
 * answers for on the link of the parent (routed, and ipvlan in modes l3 and l3s), which is
 * therefore recorded in PROXIES_DIR of the run.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/process.h"

/* The host must be a router on the parent already: that is for its administrator to decide. */
int nic_routed_check(GVariant *nic, Error *ret_error);
/* When the host's end is there. Nothing to do for nics that nothing is routed to. */
int nic_routed_apply(int path_fd, GVariant *nic, Error *ret_error);
/* Inside, where liblxc has not done it: of one that was put in while the container ran. */
int nic_routed_apply_inside(const Process *init, GVariant *nic, Error *ret_error);

void nic_routed_remove(int path_fd, GVariant *nic);
/* All of a run that has ended. */
void nic_routed_remove_all(int path_fd);
