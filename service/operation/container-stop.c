/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container.h"

#include <signal.h>

#include "service/model/config-key.h"
#include "service/operation/container-interruption.h"
#include "service/operation/container-run.h"
#include "service/operation/lease-release.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"
#include "service/util/process.h"
#include "service/worker/operations.h"

/* What systemd as init takes for "halt"; others take SIGPWR, unless raw.lxc knows better. */
#define SIGNAL_HALT_SYSTEMD (SIGRTMIN + 3)

/* --- ending a run --- */

static void wait_is_over(Job *job) {
        ContainerJob *data = job->data;

        data->timer = sd_event_source_disable_unref(data->timer);
        container_run_wait(job->manager, data->container, NULL);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (container_run_is_ending(job->manager, c)) /* it has, just in time */
                return 0;
        wait_is_over(job);
        c->state = CONTAINER_RUNNING;
        manager_changed(job->manager, &c->object);
        r = error_set(&job->error, ERROR_TIMED_OUT,
                      "Container \"%s\" did not shut down in time and goes on; stop it with force",
                      c->object.name);
        job_step_done(job, r);
        return 0;
}

static void on_cancel(Job *job) {
        ContainerJob *data = job->data;

        wait_is_over(job);
        data->container->state = CONTAINER_RUNNING;
        manager_changed(job->manager, &data->container->object);
        job_step_done(job, error_set(&job->error, ERROR_CANCELLED,
                                     "The wait for container \"%s\" was cancelled",
                                     data->container->object.name));
}

/* SIGKILL does not reach what a v1 freezer holds. */
static int thaw_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;

        /* Not being able to record it is no reason to let it run on. */
        (void) container_run_set_frozen(job->manager, data->container, false, NULL);
        return 0;
}

static int run_freezer(Job *job, const char *operation,
                       int (*done)(Job *, GVariant *, int *, size_t, Error *), Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "lxc-path", "s", c->facts.lxc_path);
        g_variant_dict_insert(&args, "init-pid", "i", (gint32) c->facts.init_pid);
        return job_run_worker(job, operation, g_variant_dict_end(&args), &c->init_fd, 1, done,
                              ret_error);
}

/* First step of every end: a frozen container hears nothing. */
int step_stop_thaw(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!container_is_up(c) || !c->facts.frozen)
                return JOB_STEP_DONE;
        if (data->force) {
                int r = container_run_signal(c, SIGKILL, ret_error);

                if (r < 0)
                        return r;
        }
        return run_freezer(job, OPERATION_UNFREEZE, thaw_done, ret_error);
}

int step_kill(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (!container_is_up(c))
                return JOB_STEP_DONE;
        c->state = CONTAINER_STOPPING;
        manager_changed(job->manager, &c->object);
        job->cancelable = false;
        r = container_run_signal(c, SIGKILL, ret_error);
        if (r < 0)
                return r;
        container_run_wait(job->manager, c, job);
        return JOB_STEP_PENDING;
}

static int halt_signal(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        bool systemd = false;

        (void) process_handles_signal(c->facts.init_pid, SIGNAL_HALT_SYSTEMD, &systemd);
        container_expand(m, c, &config, &devices);
        return config_get_halt_signal(config, systemd ? SIGNAL_HALT_SYSTEMD : SIGPWR);
}

int step_stop(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (data->force)
                return step_kill(job, ret_error);
        if (!container_is_up(c))
                return JOB_STEP_DONE;
        c->state = CONTAINER_STOPPING;
        manager_changed(job->manager, &c->object);
        r = container_run_signal(c, halt_signal(job->manager, c), ret_error);
        if (r < 0)
                return r;
        if (data->timeout_usec > 0) {
                r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                               data->timeout_usec, 0, on_timeout, job);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot set a timer");
        }
        job->on_cancel = on_cancel;
        container_run_wait(job->manager, c, job);
        return JOB_STEP_PENDING;
}

static int stop_done(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        data->timer = sd_event_source_disable_unref(data->timer);
        manager_lifecycle(job->manager, data->container, "stopped", NULL);
        return JOB_STEP_DONE;
}

/* Only for ephemeral ones. */
static int ephemeral_mark(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return data->container->ephemeral ? step_delete_mark(job, ret_error) : JOB_STEP_DONE;
}

static int ephemeral_volume(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return data->container->ephemeral ? step_delete_volume(job, ret_error) : JOB_STEP_DONE;
}

static int ephemeral_forget(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return data->container->ephemeral ? step_delete_forget(job, ret_error) : JOB_STEP_DONE;
}

static const JobStep stop_steps[] = {
        { NULL, step_stop_thaw, NULL },
        { "Stopping the container", step_stop, NULL },
        { NULL, stop_done, NULL },
        { NULL, ephemeral_mark, NULL },
        { "Deleting the container", ephemeral_volume, NULL, .again = true },
        { NULL, ephemeral_forget, NULL },
        { NULL },
};

static const JobStep restart_steps[] = {
        { NULL, step_interrupt, step_interrupt_undo },
        { NULL, step_stop_thaw, NULL },
        { "Stopping the container", step_stop, NULL },
        { NULL, stop_done, NULL },
        { "Waiting for the network", step_start_wait, NULL },
        { NULL, step_start_prepare, step_start_prepare_undo },
        { "Setting the firewall", step_start_guard, NULL },
        { "Starting the container", step_start_run, step_start_run_undo },
        { NULL, step_start_commit, NULL },
        { NULL },
};

/* One that runs is deleted from the moment on that its end begins. */
static int delete_intend(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!container_is_up(c))
                return JOB_STEP_DONE;
        c->doomed = true;
        return manager_save(job->manager, &c->object, ret_error);
}

/* It could not be killed. */
static int delete_intend_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!container_is_up(c))
                return JOB_STEP_DONE;
        c->doomed = false;
        return manager_save(job->manager, &c->object, ret_error);
}

static int delete_wait(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return step_wait_to_delete(job, data->container->pool, ret_error);
}

static const JobStep delete_steps[] = {
        { NULL, delete_wait, NULL },
        { NULL, delete_intend, delete_intend_undo },
        { NULL, step_stop_thaw, NULL },
        { "Stopping the container", step_kill, NULL },
        { NULL, step_delete_mark, NULL },
        { "Deleting the container", step_delete_volume, NULL, .again = true },
        { NULL, step_delete_forget, NULL },
        { NULL },
};

/* --- freezing --- */

static int freeze_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;

        return container_run_set_frozen(job->manager, data->container, true, ret_error);
}

int step_freeze(Job *job, Error *ret_error) {
        return run_freezer(job, OPERATION_FREEZE, freeze_done, ret_error);
}

static int unfreeze_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;

        return container_run_set_frozen(job->manager, data->container, false, ret_error);
}

int step_unfreeze(Job *job, Error *ret_error) {
        return run_freezer(job, OPERATION_UNFREEZE, unfreeze_done, ret_error);
}

/* A freeze that failed half-way must not leave some processes standing. */
static int freeze_undo(Job *job, Error *ret_error) {
        return run_freezer(job, OPERATION_UNFREEZE, unfreeze_done, ret_error);
}

static int freeze_told(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        manager_lifecycle(job->manager, data->container,
                          data->container->facts.frozen ? "frozen" : "unfrozen", NULL);
        return JOB_STEP_DONE;
}

static const JobStep freeze_steps[] = {
        { "Freezing the container", step_freeze, freeze_undo },
        { NULL, freeze_told, NULL },
        { NULL },
};

static const JobStep unfreeze_steps[] = {
        { "Thawing the container", step_unfreeze, NULL },
        { NULL, freeze_told, NULL },
        { NULL },
};

/* --- deleting --- */

int step_delete_mark(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        job->cancelable = false;
        c->incomplete = false;
        c->state = CONTAINER_DELETING;
        r = manager_save(job->manager, &c->object, ret_error);
        manager_changed(job->manager, &c->object);
        return r;
}

int step_delete_volume(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        GVariantDict args;
        int r;

        /* A pool that is no more has no volumes. */
        if (!manager_find_pool(job->manager, c->pool))
                return JOB_STEP_DONE;
        r = step_begin_volume(job, c, &args, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        return job_run_worker(job, OPERATION_CONTAINER_DELETE, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

int step_delete_forget(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        Manager *m = job->manager;
        int r;

        r = manager_forget(m, OBJECT_CONTAINER, c->object.name, ret_error);
        if (r < 0)
                return r;
        container_release_leases(m, c);
        container_forget_files(m, c);
        manager_lifecycle(m, c, "deleted", NULL);
        usage_changed(m, &c->object);
        data->container = NULL;
        manager_remove(m, &c->object);
        return JOB_STEP_DONE;
}

/* --- the calls --- */

static int check_up(const Container *c, Error *ret_error) {
        if (container_is_up(c))
                return 0;
        return error_set(ret_error, ERROR_NOT_RUNNING, "Container \"%s\" is not running (%s)",
                         c->object.name, container_state_to_string(c->state));
}

static int new_stop_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                        Container *c, bool force, uint64_t timeout_usec, Job **ret,
                        Error *ret_error) {
        ContainerJob *data;
        int r;

        r = check_up(c, ret_error);
        if (r >= 0)
                r = step_new_job(m, operation, caller, steps, c, ret, ret_error);
        if (r < 0)
                return r;
        data = (*ret)->data;
        data->force = force;
        data->timeout_usec = timeout_usec;
        return 0;
}

int container_stop(Manager *m, Caller caller, Container *c, bool force, uint64_t timeout_usec,
                   Job **ret, Error *ret_error) {
        return new_stop_job(m, "container-stop", caller, stop_steps, c, force, timeout_usec, ret,
                            ret_error);
}

int container_restart(Manager *m, Caller caller, Container *c, bool force, uint64_t timeout_usec,
                      Job **ret, Error *ret_error) {
        int r = container_check_start(m, caller, c, ret_error);

        if (r < 0)
                return r;
        return new_stop_job(m, "container-restart", caller, restart_steps, c, force, timeout_usec,
                            ret, ret_error);
}

int container_freeze(Manager *m, Caller caller, Container *c, bool freeze, Job **ret,
                     Error *ret_error) {
        int r = check_up(c, ret_error);

        if (r < 0)
                return r;
        return step_new_job(m, freeze ? "container-freeze" : "container-unfreeze", caller,
                       freeze ? freeze_steps : unfreeze_steps, c, ret, ret_error);
}

int container_delete(Manager *m, Caller caller, Container *c, bool force, Job **ret,
                     Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        int r;

        container_expand(m, c, &config, &devices);
        if (caller.sender && config_get_boolean(config, "security.protection.delete"))
                return error_set(ret_error, ERROR_IN_USE,
                                 "Container \"%s\" is protected; unset "
                                 "security.protection.delete first", c->object.name);
        if (container_is_up(c) && !force)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is running; stop it first, or delete it with "
                                 "force", c->object.name);
        r = step_new_job(m, "container-delete", caller, delete_steps, c, ret, ret_error);
        if (r < 0)
                return r;
        ((ContainerJob *) (*ret)->data)->force = true;
        return 0;
}
