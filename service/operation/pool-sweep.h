/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What workers that were killed left half-made or half-deleted in pools: it has names that begin
 * with a dot, and goes when a pool is mounted, when the service finds it at its start, and when a
 * worker has died. The worker that removes it waits for those that may still be at it.
 */

#include "service/operation/manager.h"

/* Whether there is any in the pool at that path. */
bool pool_needs_sweep(const char *path);
/* Starts the removal, in all pools that need it. */
void pools_sweep(Manager *m);
