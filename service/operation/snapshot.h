/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with snapshots. They are locked by their container: one job works on a container
 * and all its snapshots at a time.
 */

#include "service/operation/container.h"
#include "service/operation/step.h"

typedef struct SnapshotCreate {
        const char *name;        /* "" for one after "snapshots.pattern" */
        const char *description; /* may be NULL */
        const uint64_t *expires; /* NULL: after "snapshots.expiry" */
        bool reuse;              /* replaces one of that name */
        bool stateful;           /* with the state of its processes */
} SnapshotCreate;

/* The job's first subject is the snapshot. */
int snapshot_create(Manager *m, Caller caller, Container *c, const SnapshotCreate *args, Job **ret,
                    Error *ret_error);
int snapshot_delete(Manager *m, Caller caller, Snapshot *s, Job **ret, Error *ret_error);
int snapshot_rename(Manager *m, Caller caller, Snapshot *s, const char *name, Job **ret,
                    Error *ret_error);
int snapshot_restore_privilege(Manager *m, const Container *c, const Snapshot *s,
                               PrivilegeChange *ret, Error *ret_error);
/* The container becomes what it was: files, configuration, devices, profiles; `stateful`: and its
 * processes. */
int snapshot_restore(Manager *m, Caller caller, Container *c, const char *name, bool stateful,
                     Job **ret, Error *ret_error);
/* At once. NULL: as it is. */
int snapshot_update(Manager *m, Snapshot *s, const char *description, const uint64_t *expires,
                    Error *ret_error);

int snapshot_get(Manager *m, const Container *c, const char *name, Snapshot **ret,
                 Error *ret_error);

/* Whether an interrupted job has left something to be done with the snapshots of the container, its
 * files or their size, and the job that does it; for a container that is whole otherwise. */
bool snapshots_are_half(const Container *c);
int snapshots_recover(Manager *m, Container *c, Job **ret, Error *ret_error);
/* For a step: settles one of them, which is deleted, or gets the name that it is to have. Runs a
 * worker, whose `done` is to call snapshots_settled(), and then the step again for the next one;
 * JOB_STEP_DONE when there is none. */
int snapshots_settle(Job *job, Container *c,
                     int (*done)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                 Error *ret_error),
                     Error *ret_error);
int snapshots_settled(Job *job, Container *c, Error *ret_error);
/* The whole as a step of a job whose data begin with a ContainerJob, to be tried `again`. */
int snapshots_step_settle(Job *job, Error *ret_error);
/* Last step of such a job, whose data begins with a ContainerJob: there may be more to do. */
int snapshots_step_recover(Job *job, Error *ret_error);
