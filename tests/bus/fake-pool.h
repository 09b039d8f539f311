/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Volumes as the fake worker has them: empty directories of the pool that the arguments name. */

#include "service/worker/worker.h"

/* PARENT/NAME, or PARENT where `name` is NULL. */
int make_dir_below(Worker *worker, const char *parent, const char *name, Error *ret_error);
/* Fine where there is none. */
int remove_below(Worker *worker, const char *parent, const char *name, Error *ret_error);
/* Those of a container; `names` as. */
int make_snapshots(Worker *worker, const char *container, GVariant *names, Error *ret_error);
