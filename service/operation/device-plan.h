/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices of containers that run, when their configuration or a profile changes: what each had and
 * is to have, and the one request to the worker that gets all of them from one to the other, or
 * none. The root disk and what can only be there from the start stay as they are.
 */

#include "service/operation/manager.h"

typedef struct DevicePlan DevicePlan;

/* Takes note of what every running container has now. */
DevicePlan *device_plan_new(Manager *m);
/* To be called while the objects say what is to be: compares, and chooses what new nics leave open,
 * in the volatile configuration of the containers. ERROR_BUSY for one that is just starting. */
int device_plan_finish(DevicePlan *plan, Error *ret_error);
DevicePlan *device_plan_free(DevicePlan *plan);

bool device_plan_is_empty(const DevicePlan *plan);
/* Keeps other jobs from the containers whose devices change. */
int device_plan_lock(const DevicePlan *plan, Job *job, Error *ret_error);
/* For a step: exchanges the devices. Back: for the undo of the step after it, because a worker that
 * fails has undone by itself what it had done; one that died has not. */
int device_plan_run(DevicePlan *plan, Job *job, bool back, Error *ret_error);
/* A service that was killed was changing devices (facts.going, .coming): makes them what the record
 * says. */
int device_plan_recover(Job *job, Container *c, Error *ret_error);
/* When that has been done. */
void device_plan_recovered(Manager *m, Container *c);
/* For a step of a job that has locked the container: puts devices in that it should have already.
 * `devices` a{sa{ss}}, floating. */
int device_plan_add(Job *job, Container *c, GVariant *devices, Error *ret_error);
/* What OPERATION_FOLLOW takes for a container (floating). */
GVariant *device_plan_follow_args(const Container *c, GVariant *devices);
/* When the change has been recorded: the devices may be others to follow. */
void device_plan_settle(const DevicePlan *plan);
/* From here on, and until here, the firewall has rules for the nics that the plan puts in, and a
 * service that starts finds the change to have been interrupted. */
int device_plan_enter(DevicePlan *plan, Error *ret_error);
void device_plan_leave(DevicePlan *plan);
/* For a step: sets them. */
int device_plan_guard(const DevicePlan *plan, Job *job, Error *ret_error);
/* `devices` (a{sa{ss}}, described, floating) of a container with what plans that are being carried
 * out are about to put in; a full reference. */
GVariant *device_plan_overlay(Manager *m, const Container *c, GVariant *devices);
/* Records what was chosen for new nics, where the change was not one of the containers' own. */
void device_plan_commit(const DevicePlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DevicePlan, device_plan_free)
