/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The rules for all networks and containers, which are always made as a whole from what the Manager
 * knows: whoever has changed something that they depend on runs the step. Two jobs may do so at a
 * time; the worker keeps what knows more, whichever comes first.
 */

#include "service/operation/manager.h"

/* For a step, and as its undo. */
int step_firewall(Job *job, Error *ret_error);

/* For FirewallWatch: somebody has taken our rules away. `manager`: Manager */
void network_firewall_lost(void *manager);
