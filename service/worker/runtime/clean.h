/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OPERATION_CLEAN, and what it shares with a start that failed: making nothing of a container
 * remain but its files.
 */

#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/worker.h"

/* Kills what runs of the container, waits for its monitor to end (or ends it), removes its groups
 * and lxc_path. Not cancellable. */
int container_clean(const CgroupHost *host, const char *name, const char *lxc_path,
                    Error *ret_error);

int clean_run(Worker *worker, GVariantDict *result, Error *ret_error);
