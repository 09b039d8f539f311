/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-wait.h"

#include <errno.h>

#include "service/util/cleanup.h"

/* Nothing is asked again and again: manager_changed() comes with every change. */
typedef struct WaitJob {
        char *container;
        uint64_t generation;
        WaitWhat what;
        uint64_t timeout_usec;
        sd_event_source *timer;
} WaitJob;

static const char *const words[] = {
        [WAIT_RUNNING] = "running",
        [WAIT_IP] = "ip",
        [WAIT_STOPPED] = "stopped",
};
G_STATIC_ASSERT(G_N_ELEMENTS(words) == _WAIT_WHAT_MAX);

int wait_what_from_string(const char *word) {
        for (int i = 0; i < _WAIT_WHAT_MAX; i++)
                if (g_str_equal(words[i], word))
                        return i;
        return -EINVAL;
}

static void wait_job_free(void *p) {
        WaitJob *data = p;

        sd_event_source_disable_unref(data->timer);
        g_free(data->container);
        g_free(data);
}

/* An address that others can reach. */
static bool has_address(const Container *c) {
        GVariantIter iter;
        const char *scope;

        g_variant_iter_init(&iter, c->addresses);
        while (g_variant_iter_next(&iter, "(&s&s&su&s)", NULL, NULL, NULL, NULL, &scope))
                if (g_str_equal(scope, "global"))
                        return true;
        return false;
}

/* 1: it is so; 0: not yet; -errno: it will not be. */
static int wait_check(Job *job, Error *ret_error) {
        WaitJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->container);

        if (!c || c->object.generation != data->generation || c->state == CONTAINER_DELETING)
                return error_set(ret_error, ERROR_NO_SUCH_CONTAINER,
                                 "Container \"%s\" has been deleted", data->container);
        if (data->what == WAIT_STOPPED)
                return c->state == CONTAINER_STOPPED;
        if (c->state == CONTAINER_RUNNING && (data->what == WAIT_RUNNING || has_address(c)))
                return 1;
        if (c->state == CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" has stopped; nothing is to be waited for",
                                 data->container);
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        WaitJob *data = job->data;

        job_step_done(job, error_set(&job->error, ERROR_TIMED_OUT,
                                     "Container \"%s\" did not get as far as \"%s\" in time",
                                     data->container, words[data->what]));
        return 0;
}

static void on_cancel(Job *job) {
        job_step_done(job, error_set(&job->error, ERROR_CANCELLED, "The wait was cancelled"));
}

static int wait_run(Job *job, Error *ret_error) {
        WaitJob *data = job->data;
        int r = wait_check(job, ret_error);

        if (r != 0)
                return r < 0 ? r : JOB_STEP_DONE;
        if (data->timeout_usec > 0) {
                r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                               data->timeout_usec, 0, on_timeout, job);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot set a timer");
        }
        job->on_cancel = on_cancel;
        return JOB_STEP_PENDING;
}

static int wait_undo(Job *job, Error *ret_error) {
        WaitJob *data = job->data;

        data->timer = sd_event_source_disable_unref(data->timer);
        return JOB_STEP_DONE;
}

static int wait_over(Job *job, Error *ret_error) {
        return wait_undo(job, ret_error);
}

static const JobStep wait_steps[] = {
        { "Waiting for the container", wait_run, wait_undo },
        { NULL, wait_over, NULL },
        { NULL },
};

void container_wait_changed(Manager *m, const Container *c) {
        g_autoptr(GList) jobs = g_hash_table_get_values(m->objects[OBJECT_JOB]);

        for (GList *j = jobs; j; j = j->next) {
                Job *job = j->data;
                WaitJob *data = job->data;
                int r;

                /* One that waits, and not for the loop to run its first step. */
                if (job->steps != wait_steps || !job->on_cancel || job->undoing ||
                    !g_str_equal(data->container, c->object.name))
                        continue;
                r = wait_check(job, &job->error);
                if (r != 0)
                        job_step_done(job, MIN(r, 0));
        }
}

int container_wait(Manager *m, Caller caller, Container *c, WaitWhat what, uint64_t timeout_usec,
                   Job **ret, Error *ret_error) {
        WaitJob *data = g_new0(WaitJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->container = g_strdup(c->object.name);
        data->generation = c->object.generation;
        data->what = what;
        data->timeout_usec = timeout_usec;
        r = job_new(m, "container-wait", caller.uid, wait_steps, data, wait_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}
