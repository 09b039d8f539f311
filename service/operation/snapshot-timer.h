/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Snapshots that are taken and deleted by themselves: the keys snapshots.schedule,
 * snapshots.schedule.stopped, snapshots.pattern and snapshots.expiry. There is one timer, for the
 * next thing that is due, and none where nothing is. While there is one the service stays, so
 * neither a unit nor another program has to wake it; what was due while it did not run is not made
 * up for, but what has expired goes as soon as it runs.
 */

#include "service/operation/manager.h"

typedef struct SnapshotTimer SnapshotTimer;

/* Begins; to be called when recovery is over. */
int snapshot_timer_new(Manager *m, SnapshotTimer **ret, Error *ret_error);
void snapshot_timer_free(SnapshotTimer *timer);
/* Something may have changed about what is due: of a container, a volume, a profile's containers, a
 * snapshot's container. Of others nothing is. Cheap; looks later. */
void snapshot_timer_touch(SnapshotTimer *timer, Object *o);
/* It is about to go. */
void snapshot_timer_forget(SnapshotTimer *timer, const Object *o);
/* A job has let go of what it worked on: what was due meanwhile is done now. */
void snapshot_timer_job_ended(SnapshotTimer *timer);
/* It runs now: what its schedule wants "@startup" is taken as soon as whoever started it is
 * done. */
void snapshot_timer_started(SnapshotTimer *timer, Container *c);
/* Whether something is due at some time. */
bool snapshot_timer_is_set(const SnapshotTimer *timer);
