/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is done to the groups of a container (see cgroup.h): freezing, killing, removing. All of it
 * by the kernel's files; liblxc's command socket, whose name any local user can bind once the
 * container has stopped, is never asked.
 */

#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/process.h"

/* Positive when the process is frozen or about to be. */
int cgroup_is_frozen(const CgroupHost *host, const Process *process);
/* Freezes or thaws the payload, and waits until it is. When it can't be frozen in time it is
 * thawed again. */
int cgroup_freeze(const CgroupHost *host, const char *container, bool freeze, Error *ret_error);
/* Kills all processes of the group and waits until none is left. Fine when there is no group. */
int cgroup_kill(const CgroupHost *host, CgroupKind kind, const char *container, Error *ret_error);
/* Removes the group and those below it in every hierarchy; -EBUSY when a process is in one. */
int cgroup_remove(const CgroupHost *host, CgroupKind kind, const char *container);
