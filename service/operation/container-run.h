/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The life of a container while it runs: what berthd knows of it (pids, namespaces), and what it
 * hears (its end, its addresses). berthd is neither parent nor monitor of it and may come and go;
 * what it must find again is in the facts, below the run-time directory.
 *
 * The end of a run has three events: init goes, then liblxc's monitor, which cleans up behind it,
 * then OPERATION_CLEAN has taken away what that left: little, or all if it was killed. Only then is
 * the container stopped.
 */

#include "service/operation/manager.h"

typedef struct ContainerRun ContainerRun;

/* Records the facts of a run. */
int container_run_save(Manager *m, Container *c, Error *ret_error);
/* The container in that very run, which may have ended meanwhile and with it what it had: NULL. */
Container *container_run_find(Manager *m, const char *name, uint64_t generation, pid_t init_pid);
/* Makes the directory that a run lives in, and records that one begins: whatever dies from here on
 * is found by it. */
int container_run_prepare(Manager *m, Container *c, Error *ret_error);
/* Takes over what runs: fills c->facts, records them, watches it. The fds are pidfds and become the
 * container's. */
int container_run_begin(Manager *m, Container *c, pid_t init_pid, int init_fd, pid_t monitor_pid,
                        int monitor_fd, Error *ret_error);
/* Forgets a run that is over: facts, directory, watches. */
void container_run_discard(Manager *m, Container *c);
/* Finds a container that was running when berthd ended. 0 when it has nothing to find, or found
 * it; -ESRCH when it has gone and something of it may be left. */
int container_run_adopt(Manager *m, Container *c);

/* The step of `job` that is running is over when the run has ended. */
void container_run_wait(Manager *m, Container *c, Job *job);
/* Init has gone, whatever is left of the run. */
bool container_run_is_ending(Manager *m, Container *c);
/* Sends a signal to init. */
int container_run_signal(Container *c, int signal, Error *ret_error);
/* Records that it is frozen, or not. */
int container_run_set_frozen(Manager *m, Container *c, bool frozen, Error *ret_error);

void container_run_free(void *run);
/* For AddressWatch. */
void container_run_addresses_changed(const char *name, void *manager);
