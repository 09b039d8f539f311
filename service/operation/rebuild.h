/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Records that were lost come back from the copies in the pools (pool-records.h): of pools that are
 * named and of those that are known, the images, volumes, and containers with their snapshots that
 * there are files and copies but no records of, and all networks and profiles. Nothing that there
 * is a record of is touched, but for a default profile that says nothing.
 *
 * What is in a pool may have been written by anybody who had the disk: a container comes in as one
 * from a stranger's archive does, through the same checks (container-import-plan.h). It keeps its
 * range of ids where that is free. What it may do to the host is granted to it where its caller was
 * granted as much, and else asks for it at its first start; a profile grants nothing. Of images
 * what is unpacked comes back: their archives were not in the pool, and which server they came from
 * is not believed.
 */

#include "service/operation/container.h"

typedef struct Rebuild {
        GVariant *pools; /* aa{sv}: "name" s, "driver" s, "source" s */
        bool dry_run;    /* only looks; pools that are named are put away again */
} Rebuild;

/* The job's subjects are what is found; its warnings say what cannot be had back, and why. */
int rebuild(Manager *m, Caller caller, const Rebuild *args, Job **ret, Error *ret_error);
