/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Work inside the namespaces of a running container, by a child that enters them as the container's
 * root: what a path means there is for the container's kernel objects to say, and a link in it is
 * refused, not followed. A container that makes its files wait for ever is given five seconds.
 */

#include <stdbool.h>

#include "service/util/error.h"
#include "service/worker/runtime/process.h"

/* Puts a detached mount in its place, which is made when it is not there. -ELOOP: a link is in the
 * way. */
int device_inside_place(const Process *init, int mount_fd, const char *target, bool directory);
/* What it returned, for people. */
int device_inside_error(const char *container, const char *device, const char *target, int r,
                        Error *ret_error);
/* Ends the mount; 0 also when the container has done so itself. An empty file that was made for
 * it is removed. */
int device_inside_remove(const Process *init, const char *target);
typedef int (*DeviceInsideFunc)(void *userdata);
/* Runs `func` in a child that has entered `namespaces` (CLONE_NEW*), as root inside where the user
 * namespace is among them. What it returns (0 or -errno) is returned. */
int device_inside_run(const Process *init, int namespaces, DeviceInsideFunc func, void *userdata);
