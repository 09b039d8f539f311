/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Setting up a host at once: pools, networks and profiles out of one plan, as one job that makes
 * all of it or, when something fails, takes back what it made. What is there already stays: a pool
 * or network of the same name and kind counts as made, so a plan can be carried out again. Profiles
 * that exist get what the plan says.
 */

#include "service/operation/container.h"

/* Each an aa{sv}, one dictionary an object:
 *   pools     "name" s, "driver" s, "config" a{ss}, "description" s
 *   networks  "name" s, "type" s ("bridge"), "config" a{ss}, "description" s
 *   profiles  "name" s, "config" a{ss}, "devices" a{sa{ss}}, "description" s
 * Only names (and a pool's driver) must be there. ERROR_INVALID_ARGS names what is not known. */
typedef struct InitializePlan {
        GVariant *pools, *networks, *profiles;
} InitializePlan;

int initialize(Manager *m, Caller caller, const InitializePlan *plan, Job **ret, Error *ret_error);
