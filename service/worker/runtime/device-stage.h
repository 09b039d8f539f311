/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices that are there when a container starts. Each is mounted below LXC-PATH/devices, a
 * directory of ours, from where liblxc binds it to its place inside, in the container's own
 * namespaces: a place that a link leads away from is refused there. The staged mounts stay as long
 * as the directory of the run does.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/device-mount.h"

/* Mounts those of `devices` (a{sa{ss}}) that are files below `path_fd` (LXC-PATH) and appends what
 * liblxc takes for each: values of lxc.mount.entry, in an order in which none hides another. On
 * failure nothing stays mounted. */
int device_stage(int path_fd, const char *lxc_path, const DeviceContext *context,
                 GVariant *devices, GPtrArray *entries, Error *ret_error);
/* Ends the mounts below LXC-PATH; fine when there are none. */
int device_unstage(int path_fd);
/* The same for one device. */
int device_unstage_one(int path_fd, const char *name);
