/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What volumes may hold, when a configuration changes: which containers it concerns, what each had
 * and is to have, and the one request to the worker that gets all of them from one to the other, or
 * none. The size of a container is that of its root disk, wherever that comes from, or else the
 * pool's volume.size.
 */

#include "service/operation/manager.h"

typedef struct SizePlan SizePlan;

/* In bytes; 0: no limit. `devices` are expanded. */
uint64_t root_size_of(Manager *m, GVariant *devices, const char *pool);
uint64_t container_get_size(Manager *m, const Container *c);

/* Takes note of what every container has now. */
SizePlan *size_plan_new(Manager *m);
/* To be called while the objects say what is to be: compares. */
void size_plan_finish(SizePlan *plan);
SizePlan *size_plan_free(SizePlan *plan);

bool size_plan_is_empty(const SizePlan *plan);
/* Keeps other jobs from the containers whose size changes. */
int size_plan_lock(const SizePlan *plan, Job *job, Error *ret_error);
/* For the first step and, as its undo and as the last one, the second: from one to the other the
 * records say that the sizes may be others. A failure of the second is logged. */
int size_plan_enter(const SizePlan *plan, Error *ret_error);
void size_plan_leave(const SizePlan *plan);
/* For a step: waits for the pools, then sets the sizes. Back: for the undo of the step after it,
 * because a worker that fails has undone by itself what it had done. */
int size_plan_run(SizePlan *plan, Job *job, bool back, Error *ret_error);
/* Carries out a finished plan in the background, for a caller who cannot wait. Takes it over. */
void size_plan_settle(SizePlan *plan);

/* Gives a container that was left in between the size that its configuration says. */
int container_resize_recover(Manager *m, Container *c, Job **ret, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SizePlan, size_plan_free)
