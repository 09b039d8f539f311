/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is done at start, before anybody is served: containers that run are found again, whatever an
 * interrupted job left is finished or undone, pools are mounted, networks brought up, and what no
 * record owns is removed.
 */

#include "service/operation/manager.h"

/* Begins; the jobs it starts are the service's own. */
int recovery_start(Manager *m, Error *ret_error);
/* Nothing that a caller could stumble over is under way any more. */
bool recovery_is_over(Manager *m);
