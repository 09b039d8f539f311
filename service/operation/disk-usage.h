/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a container's root disk or a volume holds, as its pool counts it: see GetDiskUsage(). */

#include "service/operation/container.h"

/* Called once with what was found (a{sv}: "used" t, "size" t, empty where nobody counts), or the
 * error. */
typedef void (*DiskUsageFunc)(GVariant *found, const Error *error, void *userdata);

/* A job that looks; it may wait for the pool to be mounted. */
int disk_usage(Manager *m, Caller caller, Object *o, DiskUsageFunc func, void *userdata, Job **ret,
               Error *ret_error);
