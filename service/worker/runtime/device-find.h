/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which device nodes of the host a device stands for at the moment: the one that it names, or those
 * of the hardware that has its properties, as /sys tells. What nodes of the host are called and
 * whose they are does not matter; kind and number are what counts.
 */

#include <sys/types.h>

#include <glib.h>

typedef struct DeviceNode {
        mode_t type;   /* S_IFCHR or S_IFBLK */
        dev_t number;
        char *target;  /* where it is inside, without the leading slash */
} DeviceNode;

void device_node_free(DeviceNode *node);
GPtrArray *device_node_list_new(void);
void device_node_list_add(GPtrArray *nodes, mode_t type, dev_t number, const char *target);
/* That has the same kind, number and target; or NULL. */
const DeviceNode *device_node_list_find(const GPtrArray *nodes, const DeviceNode *node);

/* A name for the mount of one node of a device; no other device's name has a colon. */
char *device_node_stage_name(const DeviceNode *node, const char *device);

/* All that the host has for a device that has nodes (device_has_nodes()); an empty array where it
 * has none, sorted by target. -ENODEV: what it names is no device of that kind. */
int device_find(GVariant *options, GPtrArray **ret);
