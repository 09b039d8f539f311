/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Setting up a host at once: pools, networks and profiles out of one plan, as one job that makes
 * all of it or, when something fails, takes back what it made or changed. What is there already
 * gets what the plan says of it, so a plan can be carried out again; only a pool that has grown
 * stays so.
 */

#include "service/operation/container.h"

/* `config`, a{ss}, is of the service. The others are each an aa{sv}, one dictionary an object:
 *   pools     "name" s, "driver" s, "config" a{ss}, "description" s
 *   networks  "name" s, "type" s ("bridge"), "config" a{ss}, "description" s
 *   profiles  "name" s, "config" a{ss}, "devices" a{sa{ss}}, "description" s
 * Only names (and a pool's driver) must be there. ERROR_INVALID_ARGS names what is not known. */
typedef struct InitializePlan {
        GVariant *config, *pools, *networks, *profiles;
} InitializePlan;

int initialize(Manager *m, Caller caller, const InitializePlan *plan, Job **ret, Error *ret_error);
