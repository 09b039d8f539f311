/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers and the coming and going of their host. When the service comes up for the first time
 * since the host did, those that are to run are started, one after the other, while calls are
 * served already; when the host goes down they are stopped, and what they were is remembered for
 * the next time. A container that ends by itself is started again where it is to be.
 */

#include "service/operation/container.h"

/* Whether the host has been started since the service last ran; forgets it by being asked. */
bool boot_is_first(Manager *m);
/* Starts containers with boot.autostart, or without it those that ran when the host went down: by
 * boot.autostart.priority, after those of boot.after, with boot.autostart.delay between. In the
 * background. */
void boot_start(Manager *m);
/* Stops all containers, by boot.stop.priority, each given `timeout_usec` or, where that is 0,
 * boot.host_shutdown_timeout; with `force` none at all. They are taken for running when the host
 * comes up again. */
int boot_shutdown(Manager *m, Caller caller, bool force, uint64_t timeout_usec, Job **ret,
                  Error *ret_error);

/* A container has ended that nobody stopped: starts it again after a while if boot.autorestart is
 * set; the while grows as long as it does not stay up. */
void boot_restart(Manager *m, Container *c);
/* One that was to go when it stops, and ran when the host went down under it. */
bool boot_left_behind(const Container *c);
/* What is to be remembered of it: that it runs, or does not. */
void boot_remember(Manager *m, Container *c, bool runs);
/* The service was ended before it could record that. */
void boot_found_running(Manager *m, Container *c);
