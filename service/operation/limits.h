/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits of containers that run, when their configuration changes: which containers it concerns,
 * what they had and are to have, and the request to the worker that gets the kernel from one to the
 * other. CPUs that are given by number are spread over the host, so a change of one container may
 * move others; each plan is made from all that run.
 */

#include "service/operation/manager.h"

typedef struct LimitsPlan LimitsPlan;

/* Takes note of what every running container has now; `starting` (or NULL) counts as one. */
LimitsPlan *limits_plan_new(Manager *m, Container *starting);
/* To be called while the objects say what is to be: compares. ERROR_INVALID_CONFIG when a container
 * whose configuration changes is pinned to CPUs of which the host has none; ERROR_BUSY when one is
 * just being started. */
int limits_plan_finish(LimitsPlan *plan, Error *ret_error);
LimitsPlan *limits_plan_free(LimitsPlan *plan);

/* Nobody's limits change. */
bool limits_plan_is_empty(const LimitsPlan *plan);
/* Keeps other jobs from the containers whose configuration changes. */
int limits_plan_lock(const LimitsPlan *plan, Job *job, Error *ret_error);
/* From here on, and until here, a service that starts finds the change to have been interrupted. */
int limits_plan_enter(const LimitsPlan *plan, Error *ret_error);
void limits_plan_leave(const LimitsPlan *plan);
/* For a step and its undo: gets the kernel there, or back. */
int limits_plan_run(LimitsPlan *plan, Job *job, bool back, Error *ret_error);
/* Remembers where the CPUs have gone. */
void limits_plan_commit(LimitsPlan *plan);

/* A service that was killed was changing limits (facts.limits): makes them what the record says. */
int limits_recover(Job *job, Container *c, Error *ret_error);
/* The set of CPUs for a container that is about to start; kept in its facts. */
int limits_choose_cpus(Manager *m, Container *c, Error *ret_error);
/* Something started or ended: spreads those that run over the CPUs anew, in the background. */
void limits_settle(Manager *m);
/* Carries out a finished plan in the background, for a caller who cannot wait. Takes it over. */
void limits_plan_settle(LimitsPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LimitsPlan, limits_plan_free)
