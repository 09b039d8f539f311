/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits of containers (service/model/limits.h) in the control groups of this host. At a start
 * liblxc writes them, before anything runs inside; those that a host may lack without harm are
 * written afterwards, and what cannot be had is told as a warning. While a container runs
 * OPERATION_LIMITS changes them: all of a request, or nothing.
 */

#include "service/worker/runtime/cgroup.h"
#include "service/worker/worker.h"

/* Lines of liblxc's configuration ("lxc.cgroup.FILE", "lxc.cgroup2.FILE") as pairs of key and
 * value, in their order. ERROR_NOT_SUPPORTED for a limit that this host cannot set. */
int limits_to_lines(const CgroupHost *host, GVariant *config, const char *cpus, GPtrArray **ret,
                    Error *ret_error);
/* Writes the rest once the container's groups are there; adds what cannot be had to `warnings`. */
void limits_apply_hints(const CgroupHost *host, const char *container, GVariant *config,
                        const char *cpus, GPtrArray *warnings);

/* Writes all of them, for a container that liblxc has restored: it does not. */
int limits_apply_all(const CgroupHost *host, const char *container, GVariant *config,
                     const char *cpus, GPtrArray *warnings, Error *ret_error);

int limits_run(Worker *worker, GVariantDict *result, Error *ret_error);
