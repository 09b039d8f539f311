/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which devices a privileged container may use. No user namespace keeps its root from making nodes
 * for all of the host's, so control groups do: what every system needs, and what its configuration
 * gives it. Other containers need no rules.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/device-find.h"

/* For a start: appends pairs of liblxc's key and value to `lines`. */
int device_rules_append(const CgroupHost *host, GVariant *devices, GPtrArray *lines);
/* Lets a container that runs use the node, or takes that back. -EOPNOTSUPP where the groups are of
 * version 2: there the rules are a program of liblxc's. */
int device_rules_change(const CgroupHost *host, const char *container, const DeviceNode *node,
                        bool allow);
