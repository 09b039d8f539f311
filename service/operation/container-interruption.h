/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verbs that stop a container for a while and start it again: a restart, a restore, the publication
 * of one that runs. Before it is stopped its record says so; whatever becomes of the verb or of the
 * service meanwhile, the container runs in the end, or has been tried to be started twice.
 */

#include "service/operation/job.h"
#include "service/operation/manager.h"

/* Records that it is about to be stopped for a while; nothing for one that does not run. */
int container_interrupt(Manager *m, Container *c, Error *ret_error);
/* The verb has failed, or the service was away: one that was interrupted is started, by a job of
 * its own. `job` lets go of the container for that; may be NULL. */
int container_resume(Manager *m, Container *c, Job *job, Error *ret_error);
/* It is not to be started: it stays as it is. */
int container_stay(Manager *m, Container *c, Error *ret_error);

/* The same as steps, for jobs that carry a ContainerJob: run and undo. */
int step_interrupt(Job *job, Error *ret_error);
int step_interrupt_undo(Job *job, Error *ret_error);
