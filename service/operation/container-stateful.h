/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stopping a container with the state of its processes, which its next start makes them of again;
 * and the parts that snapshots with a state are made of (see snapshot.c): theirs is a volume
 * "snapshot-states/CONTAINER/NAME", goes wherever the snapshot goes, and is not used up.
 *
 * The state is a volume "states/NAME" of the container's pool; the record says whether it counts.
 * It is taken from a container that is frozen, sealed, and on disk before the record says so; the
 * container is killed after that. A start takes it out of the record before anything runs, and the
 * seal from it as soon as something does: whatever happens then, it is never restored over files
 * that have changed since. Who finds a start that nobody ended looks for the seal: with it the
 * state is put back into the record, without it what runs is taken over. A container that is found
 * running with a saved state is killed if it is still frozen, as it was to be; one that is not has
 * no saved state, whatever its record says.
 */

#include "service/operation/step.h"

/* Whether the state of this container may and can be saved or restored here: criu.enabled, and what
 * it is made of. ERROR_NOT_SUPPORTED. */
int stateful_check_allowed(Manager *m, const Container *c, Error *ret_error);
/* The same of the container as it was; ERROR_INVALID_ARGS for a snapshot without a state. */
int stateful_check_snapshot(Manager *m, const Container *c, const Snapshot *s, Error *ret_error);
/* What the caller needs beside leave for the container itself: CRIU works as root on what its
 * processes made. */
void stateful_privilege(PrivilegeChange *ret);

int container_stop_stateful(Manager *m, Caller caller, Container *c, Job **ret, Error *ret_error);

/* Steps of a ContainerJob, for the state of that snapshot or, with NULL, the container's own: an
 * empty volume for it; into that the processes of the container, which is frozen; it goes. */
int stateful_make_room(Job *job, const char *snapshot, Error *ret_error);
int stateful_dump(Job *job, const char *snapshot, Error *ret_error);
int stateful_remove(Job *job, const char *snapshot, Error *ret_error);

/* Of a start, before anything runs: takes the state out of the record; its undo puts it back. */
int step_state_use(Job *job, Error *ret_error);
int step_state_use_undo(Job *job, Error *ret_error);
/* This host's key is made with the first state that gets a seal of it. */
int stateful_make_key(Manager *m, Error *ret_error);
/* Arguments of a worker that say where the container's own state is, and this host's key. */
void stateful_put_state(GVariantDict *args, Manager *m, const Container *c);
/* Arguments of a start that say what becomes of the state. */
void stateful_put_args(Job *job, GVariantDict *args);
/* Whether the job makes its processes of a state. */
bool stateful_restores(const Job *job);

/* Whether a service has died while it started one from its state, and nobody knows how far that had
 * come; and a job that looks, and ends it. */
bool stateful_start_was_cut(Manager *m, Container *c);
int stateful_recover_start(Manager *m, Container *c, Job **ret, Error *ret_error);
/* It runs: no state counts, unless it was about to be killed. */
void stateful_found_running(Manager *m, Container *c);
/* ERROR_IN_USE for one with a state, its own or a snapshot's, which `what` ("renamed") would part
 * it from. */
int stateful_check_none(const Container *c, const char *what, Error *ret_error);
/* The same of snapshots alone. */
int stateful_check_no_snapshots(const Container *c, const char *what, Error *ret_error);
/* ERROR_IN_USE for a stopped one whose files a state goes with. */
int stateful_check_files(const Container *c, Error *ret_error);
