/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The files that a container's image wants made from templates. They are made just before init
 * runs, inside the root filesystem: those for "start" each time, those for "create", "copy" and
 * "rename" at the first start after that.
 */

#include "service/operation/step.h"

/* Which of these has happened since the last start; kept in the configuration. */
#define TEMPLATE_TRIGGER_KEY "volatile.apply_template"

/* `trigger` "create", "copy", "rename", or NULL. Saving the record is the caller's. */
void container_set_template_trigger(Container *c, const char *trigger);
/* For a step of a ContainerJob: JOB_STEP_DONE when there is nothing to make (any more), or
 * JOB_STEP_PENDING, and the step is run again. */
int step_make_templates(Job *job, Error *ret_error);
