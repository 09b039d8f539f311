/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container as a unit of systemd's and a machine of systemd-machined's, on hosts with scopes. */

#include "service/worker/runtime/cgroup.h"
#include "service/worker/scope.h"

/* Puts the process, a child that waits at the gate, into a new scope of the container's and there
 * into the pivot group, and lets it go on. */
int container_scope_enter(const CgroupHost *host, const char *name, ScopeGate *gate, pid_t pid,
                          Error *ret_error);
/* Tells machined; appends to `warnings` (strings) what failed, since the container runs without. */
void container_scope_register(const CgroupHost *host, const char *name, pid_t init_pid,
                              const char *rootfs, GVariant *nics, GPtrArray *warnings);
