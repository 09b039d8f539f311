/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The device nodes that a running container has. Which they are is recorded beside the other things
 * of the run, a file a device in NODES_DIR: what is to be taken away can only be known from what
 * was put in, when the hardware has gone already.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/device-mount.h"
#include "service/worker/runtime/process.h"

int device_nodes_record(int path_fd, const char *device, const GPtrArray *nodes);

/* All nodes of a device, or none. */
int device_nodes_put(const DeviceContext *context, const Process *init, int path_fd,
                     const char *device, GVariant *options, Error *ret_error);
int device_nodes_take(const DeviceContext *context, const Process *init, int path_fd,
                      const char *device, Error *ret_error);
/* Takes away what the host has not any more, and puts in what it has got. A node that cannot be put
 * in is left for the next time, and the rest done. */
int device_nodes_follow(const DeviceContext *context, const Process *init, int path_fd,
                        const char *device, GVariant *options, Error *ret_error);
