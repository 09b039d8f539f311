/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The processes behind proxy devices of containers that run (see RUNTIME_FORWARDS_DIR). The runtime
 * worker starts and ends them with the devices; they serve whether berthd is there or not, and end
 * with the container. What is left to do here is to notice that one has died before its time, and
 * to have it started again: at once, and then after ever longer pauses.
 */

#include "service/operation/manager.h"

/* Watches all that there are now; called when a container has started or was found again, and after
 * its devices have changed. */
void container_forwards_watch(Manager *m, Container *c);
/* Its run is over, or about to be. */
void container_forwards_forget(Manager *m, Container *c);
/* Of the table Manager.forwards. */
void container_forwards_free(void *forwards);
