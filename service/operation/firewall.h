/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When nftables' tables "inet berth" and "bridge berth" are made, and by what they are changed.
 *
 * Both are made as a whole, from what the Manager knows, when networks change or come up, at the
 * start of the service, and when somebody else has touched them. After that it is known what is in
 * them: a container that starts only adds what its nics need to the sets of the guards, and that is
 * taken out again soon after it has ended. Where that cannot be all of it (a proxy that translates
 * addresses) or fails, the whole is made.
 *
 * One worker runs at a time and is told what is known when it begins. Whoever needs something from
 * it meanwhile waits for the next, which does all that was asked for until then at once. So no
 * worker that knows less ever comes after one that knows more.
 */

#include "service/operation/manager.h"

Firewall *firewall_new(Manager *m);
Firewall *firewall_free(Firewall *firewall);

/* For a step, and as its undo: makes the whole. */
int step_firewall(Job *job, Error *ret_error);
/* For a step: what nics of these containers need is there when it is done. What nics need that are
 * to be replaced stays as long as they do. `containers` ends with NULL. */
int step_firewall_for(Job *job, const char *const *containers, Error *ret_error);
/* Rules of nics that have gone hurt nobody: they are taken away soon, for all at once. */
void firewall_settle(Manager *m, const char *container);

/* For FirewallWatch: somebody has taken our rules away. `manager`: Manager */
void network_firewall_lost(void *manager);
