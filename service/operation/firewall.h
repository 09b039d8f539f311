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

/* The same with something to be done when the rules are there. */
int step_firewall_then(Job *job,
                       int (*on_result)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                        Error *ret_error),
                       Error *ret_error);
/* Rules of nics that have gone hurt nobody: they are taken away soon, all at once. */
void firewall_settle(Manager *m);

/* For FirewallWatch: somebody has taken our rules away. `manager`: Manager */
void network_firewall_lost(void *manager);
