/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What disks may read and write in a second. The kernel bounds block devices, not directories: a
 * disk's limits are those of the devices that its filesystem is on, for this container; of several
 * disks on one device the smallest counts. LXC-PATH/disk-limits/DEVICE remembers what each asks
 * for: lines "MAJOR:MINOR READ-BYTES WRITE-BYTES READ-OPERATIONS WRITE-OPERATIONS", 0 for no bound.
 */

#include "service/worker/runtime/cgroup.h"

/* `options` of the disk; NULL or one without limits: it has none any more. */
int disk_limits_set(const CgroupHost *host, const char *container, const Process *init,
                    int path_fd, const char *name, GVariant *options, Error *ret_error);
