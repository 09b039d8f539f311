/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Proxy devices: for each a process berth-forward (service/worker/forward/forward.h), in the
 * container's pivot group. LXC-PATH/forwards/DEVICE says which process it is:
 * "PID START\nLISTEN\n", START in clock ticks since boot, LISTEN where it is a path of the host.
 * It is written before the process serves, so that none is ever lost; a process whose file could
 * not be written ends by itself.
 */

#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/device-mount.h"

/* Starts the process; one that serves this device already is ended before. */
int device_forward_add(const DeviceContext *context, const CgroupHost *host, const Process *init,
                       int path_fd, const char *name, GVariant *options, Error *ret_error);
/* Ends it; fine when there is none. */
int device_forward_remove(const Process *init, int path_fd, const char *name, GVariant *options,
                          Error *ret_error);
/* All proxies of `devices`: all are started, or none. */
int device_forward_add_all(const DeviceContext *context, const CgroupHost *host,
                           const Process *init, int path_fd, GVariant *devices, Error *ret_error);
/* Ends those whose container has gone. */
void device_forward_end_all(int path_fd);
