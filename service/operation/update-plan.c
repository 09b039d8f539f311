/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/update-plan.h"

#include "service/operation/container-run.h"
#include "service/operation/snapshot.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

void update_plan_begin(UpdatePlan *plan, Manager *m) {
        plan->limits = limits_plan_new(m, NULL);
        plan->sizes = size_plan_new(m);
        plan->devices = device_plan_new(m);
}

int update_plan_finish(UpdatePlan *plan, Error *ret_error) {
        int r;

        size_plan_finish(plan->sizes);
        r = limits_plan_finish(plan->limits, ret_error);
        return r < 0 ? r : device_plan_finish(plan->devices, ret_error);
}

void update_plan_done(UpdatePlan *plan) {
        plan->limits = limits_plan_free(plan->limits);
        plan->sizes = size_plan_free(plan->sizes);
        plan->devices = device_plan_free(plan->devices);
}

bool update_plan_is_empty(const UpdatePlan *plan) {
        return limits_plan_is_empty(plan->limits) && size_plan_is_empty(plan->sizes) &&
               device_plan_is_empty(plan->devices);
}

int update_plan_lock(const UpdatePlan *plan, Job *job, Error *ret_error) {
        int r;

        r = limits_plan_lock(plan->limits, job, ret_error);
        if (r >= 0)
                r = size_plan_lock(plan->sizes, job, ret_error);
        return r < 0 ? r : device_plan_lock(plan->devices, job, ret_error);
}

int update_plan_enter(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;
        int r = limits_plan_enter(plan->limits, ret_error);

        if (r >= 0)
                r = size_plan_enter(plan->sizes, ret_error);
        return r < 0 ? r : device_plan_enter(plan->devices, ret_error);
}

int update_plan_leave(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        limits_plan_leave(plan->limits);
        size_plan_leave(plan->sizes);
        device_plan_leave(plan->devices);
        return JOB_STEP_DONE;
}

int update_plan_limits(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return limits_plan_run(plan->limits, job, false, ret_error);
}

int update_plan_limits_undo(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return limits_plan_run(plan->limits, job, true, ret_error);
}

int update_plan_sizes(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return size_plan_run(plan->sizes, job, false, ret_error);
}

int update_plan_sizes_undo(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return size_plan_run(plan->sizes, job, true, ret_error);
}

int update_plan_firewall(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return device_plan_guard(plan->devices, job, ret_error);
}

int update_plan_devices(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return device_plan_run(plan->devices, job, false, ret_error);
}

int update_plan_devices_undo(Job *job, Error *ret_error) {
        UpdatePlan *plan = job->data;

        return device_plan_run(plan->devices, job, true, ret_error);
}

/* A worker that failed has undone itself. */
int update_plan_devices_died(Job *job, Error *ret_error) {
        return job->worker_died ? update_plan_devices_undo(job, ret_error) : JOB_STEP_DONE;
}

/* --- after a service that was killed --- */

static int recover_limits(Job *job, Error *ret_error) {
        Container *c = ((ContainerJob *) job->data)->container;

        return c->facts.limits ? limits_recover(job, c, ret_error) : JOB_STEP_DONE;
}

static int recover_devices(Job *job, Error *ret_error) {
        Container *c = ((ContainerJob *) job->data)->container;

        return c->facts.coming ? device_plan_recover(job, c, ret_error) : JOB_STEP_DONE;
}

static int recover_done(Job *job, Error *ret_error) {
        Container *c = ((ContainerJob *) job->data)->container;

        g_clear_pointer(&c->facts.limits, g_variant_unref);
        g_clear_pointer(&c->facts.going, g_variant_unref);
        g_clear_pointer(&c->facts.coming, g_variant_unref);
        device_plan_recovered(job->manager, c);
        return container_run_save(job->manager, c, ret_error);
}

static const JobStep recover_steps[] = {
        { "Changing limits", recover_limits, NULL },
        { "Changing devices", recover_devices, NULL },
        { NULL, recover_done, NULL },
        { NULL, snapshots_step_recover, NULL },
        { NULL },
};

bool update_plan_was_interrupted(const Container *c) {
        return c->facts.limits || c->facts.coming;
}

int update_plan_recover(Manager *m, Container *c, Job **ret, Error *ret_error) {
        return step_new_job(m, "container-recover", CALLER_SERVICE, recover_steps, c, ret,
                            ret_error);
}
