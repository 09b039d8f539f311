/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-interruption.h"

#include "service/operation/step.h"

static int set_interrupted(Manager *m, Container *c, bool interrupted, Error *ret_error) {
        int r;

        if (c->interrupted == interrupted)
                return 0;
        c->interrupted = interrupted;
        r = manager_save(m, &c->object, ret_error);
        if (r < 0)
                c->interrupted = !interrupted;
        return r;
}

int container_interrupt(Manager *m, Container *c, Error *ret_error) {
        return container_is_up(c) ? set_interrupted(m, c, true, ret_error) : 0;
}

static int resume_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

/* It cannot be started, and not every start of the service is to try again. */
static int resume_give_up(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return set_interrupted(job->manager, data->container, false, ret_error);
}

/* The commit says that it runs again. */
static const JobStep resume_steps[] = {
        { NULL, resume_begin, resume_give_up },
        { "Waiting for the network", step_start_wait, NULL },
        { NULL, step_start_prepare, step_start_prepare_undo },
        { "Setting the firewall", step_start_guard, NULL },
        { "Starting the container", step_start_run, step_start_run_undo },
        { NULL, step_start_commit, NULL },
        { NULL },
};

int container_resume(Manager *m, Container *c, Job *job, Error *ret_error) {
        Job *resume;
        int r;

        if (!c->interrupted)
                return 0;
        if (container_is_up(c) || c->incomplete || c->state == CONTAINER_DELETING)
                return set_interrupted(m, c, false, ret_error);
        if (job)
                job_unlock(job, &c->object);
        r = step_new_job(m, "container-start", CALLER_SERVICE, resume_steps, c, &resume, ret_error);
        if (r < 0)
                return r;
        job_start(resume);
        return 0;
}

int container_stay(Manager *m, Container *c, Error *ret_error) {
        return set_interrupted(m, c, false, ret_error);
}

int step_interrupt(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return container_interrupt(job->manager, data->container, ret_error);
}

int step_interrupt_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return container_resume(job->manager, data->container, job, ret_error);
}
