/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Network interfaces of containers that run: made in, or moved into, the network namespace of
 * init. A nic is an a{ss} as OPERATION_START has them: "nictype", "name" (inside), and as the type
 * wants them "parent", "host_name", "hwaddr", "mtu", "mode".
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/process.h"

/* It is one end of a veth, whose other end is the host's. */
bool device_nic_has_host_end(GVariant *nic);
/* Adds the interface and sets it up; `path_fd` is LXC-PATH, see nic-record.h. On failure nothing of
 * it stays. */
int device_nic_add(const Process *init, int path_fd, GVariant *nic, Error *ret_error);
/* Removes it; a physical interface comes back to the host under its own name. 0 also when it has
 * gone. */
int device_nic_remove(const Process *init, int path_fd, GVariant *nic, Error *ret_error);
/* Gives one that is there the MTU that `nic` says, or else the one that it would have got. */
int device_nic_set_mtu(const Process *init, int path_fd, GVariant *nic, Error *ret_error);
