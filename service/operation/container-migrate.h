/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The saved state of a container goes to another host, and comes in from one, through fds of
 * clients; its files and configuration go as any archive does (container-archive.h).
 *
 * CRIU does as root whatever a state says, and what comes through a client's fd is a stranger's
 * word. So a state that leaves is sealed with a key that the administrators of both hosts have put
 * into their state directories (MIGRATION_KEY_FILE), and one that comes in is taken when that seal
 * is right: then it is what the other host's berthd saved, whoever carried it. It gets a seal of
 * this host's, and from there on it is like any other.
 *
 * The ids are part of a state: where it comes in the container gets the same range, or the state is
 * refused.
 */

#include "service/operation/container.h"

#define MIGRATION_KEY_FILE "migration.key"

/* Of a container that was stopped with its state; `fd`, a file or pipe, stays the caller's. */
int container_send_state(Manager *m, Caller caller, Container *c, int fd, Job **ret,
                         Error *ret_error);
/* For one that is stopped and has none. */
int container_receive_state(Manager *m, Caller caller, Container *c, int fd, Job **ret,
                            Error *ret_error);
