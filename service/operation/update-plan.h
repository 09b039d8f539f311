/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a change of a container's or a profile's configuration does to the containers that have it:
 * their limits, sizes and devices (see limits.h, volume-size.h, device-plan.h), planned, locked and
 * carried out together. What is new there has its place here, and both kinds of change have it.
 */

#include "service/operation/device-plan.h"
#include "service/operation/limits.h"
#include "service/operation/volume-size.h"

typedef struct UpdatePlan {
        LimitsPlan *limits;
        SizePlan *sizes;
        DevicePlan *devices;
} UpdatePlan;

/* Takes note of what the containers have now. */
void update_plan_begin(UpdatePlan *plan, Manager *m);
/* To be called while the objects say what is to be: compares. Errors are those of the three. */
int update_plan_finish(UpdatePlan *plan, Error *ret_error);
void update_plan_done(UpdatePlan *plan);

bool update_plan_is_empty(const UpdatePlan *plan);
/* Keeps other jobs from the containers that it changes. */
int update_plan_lock(const UpdatePlan *plan, Job *job, Error *ret_error);

/* The steps of a job whose data begin with an UpdatePlan; `commit` is the last one. */
#define UPDATE_PLAN_STEPS(commit)                                               \
        { NULL, update_plan_enter, update_plan_leave },                         \
        { "Changing limits", update_plan_limits, update_plan_limits_undo },     \
        { "Changing sizes", update_plan_sizes, NULL, .again = true },           \
        { "Setting the firewall", update_plan_firewall, update_plan_sizes_undo }, \
        { "Changing devices", update_plan_devices, update_plan_devices_died },  \
        { NULL, commit, update_plan_devices_undo },                             \
        { NULL, update_plan_leave, NULL },                                      \
        { NULL }

/* A service that was killed was changing a container that runs: whether, and makes its limits and
 * devices what the record says. */
bool update_plan_was_interrupted(const Container *c);
int update_plan_recover(Manager *m, Container *c, Job **ret, Error *ret_error);

int update_plan_enter(Job *job, Error *ret_error);
int update_plan_leave(Job *job, Error *ret_error);
int update_plan_limits(Job *job, Error *ret_error);
int update_plan_limits_undo(Job *job, Error *ret_error);
int update_plan_sizes(Job *job, Error *ret_error);
int update_plan_sizes_undo(Job *job, Error *ret_error);
/* Before devices that it is to guard; what it says too much goes with the plan. */
int update_plan_firewall(Job *job, Error *ret_error);
int update_plan_devices(Job *job, Error *ret_error);
int update_plan_devices_died(Job *job, Error *ret_error);
int update_plan_devices_undo(Job *job, Error *ret_error);
