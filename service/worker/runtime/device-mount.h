/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices that are files inside a container, as mounts that are attached nowhere yet: what is shown
 * of the host (idmapped, so that owners are right inside), or a device node on a filesystem of its
 * own. The mount is put in its place by fd, either below the directory that liblxc starts from or
 * in the mount namespace of a running container.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

#include "service/model/idmap.h"
#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/device-find.h"

/* For whom: the container's owner, and which ids of the host are its. */
typedef struct DeviceContext {
        const char *container;
        uid_t owner;
        const IdMap *idmap;
        const CgroupHost *host; /* for what runs */
} DeviceContext;

/* A disk: *ret_fd is the mount, or -EBADF where it is not required and its source is not there;
 * *ret_directory says what the place for it has to be. */
int device_mount_new(const DeviceContext *context, const char *name, GVariant *options,
                     int *ret_fd, bool *ret_directory, Error *ret_error);
/* The nodes of a device that the host has now; ERROR_INVALID_DEVICE where there are none and it is
 * required. */
int device_mount_find_nodes(const DeviceContext *context, const char *name, GVariant *options,
                            GPtrArray **ret, Error *ret_error);
/* A mount of one of them, owner and mode as the options say. Returns the fd. */
int device_mount_new_node(const DeviceContext *context, const char *name, GVariant *options,
                          const DeviceNode *node, Error *ret_error);
