/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/job.h"

#include "service/operation/manager.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

/*
 * Jobs and their workers. Of each user's only so many run at a time; those that wait are started
 * as others end.
 */

static int start_worker(Job *job, const char *operation, GVariant *args, const int *fds,
                        size_t n_fds, Error *ret_error);

static void on_worker_progress(const char *stage, double fraction, void *userdata) {
        Job *job = userdata;

        if (!job->undoing)
                job_set_progress(job, stage, fraction);
}

static void on_worker_event(GVariant *content, int *fds, size_t n_fds, void *userdata) {
        Job *job = userdata;

        if (job->on_worker_event)
                job->on_worker_event(job, content, fds, n_fds);
}

/* Whoever of its owner's has waited longest goes on. */
static void leave_place(Job *job) {
        Job *next;

        if (!job->has_place)
                return;
        job->has_place = false;
        while ((next = places_leave(job->manager->workers, job->object.owner))) {
                g_autoptr(GVariant) args = g_steal_pointer(&next->awaited_args);
                int r;

                next->has_place = true;
                next->state = JOB_RUNNING;
                manager_changed(next->manager, &next->object);
                r = start_worker(next, next->awaited_operation, args, NULL, 0, &next->error);
                if (r >= 0)
                        return;
                next->has_place = false;
                job_step_done(next, r);
                job = next;
        }
}

/* What cannot be undone is not left half done if trying once more can help. */
static bool worth_another_try(Job *job) {
        if (!worker_process_has_died(job->worker) || !job->steps[job->step].again ||
            job->undoing || job->state == JOB_CANCELLING || job->tried_again)
                return false;
        job->tried_again = true;
        return true;
}

static void on_worker_ended(GVariant *result, int *fds, size_t n_fds, Error *error,
                            void *userdata) {
        Job *job = userdata;
        g_auto(Error) undo_error = ERROR_INIT;
        Error *e = job->undoing ? &undo_error : &job->error;
        int r = 0;

        if (!result && worth_another_try(job)) {
                log_notice("Job %s (%s) tries once more: %s.", job->object.name, job->operation,
                           error->message);
                job_repeat_step(job);
        } else if (!result) {
                r = -error_code_to_errno(error->code);
                /* A worker that was told to end may not have got as far as saying so. */
                if (job->state == JOB_CANCELLING)
                        r = error_set(e, ERROR_CANCELLED, "The job was cancelled");
                error_move(e, error);
        } else if (job->on_worker_result)
                r = job->on_worker_result(job, result, fds, n_fds, e);
        if (r < 0 && job->undoing)
                log_error("Job %s (%s) cannot be undone: %s; the next start of the service will "
                          "try again.", job->object.name, job->operation, undo_error.message);

        job->worker_died = worker_process_has_died(job->worker);
        job->one_died |= job->worker_died;
        job->on_worker_result = NULL;
        job->on_worker_event = NULL;
        job->worker = worker_process_free(job->worker);
        leave_place(job);
        job_step_done(job, r);
}

static int start_worker(Job *job, const char *operation, GVariant *args, const int *fds,
                        size_t n_fds, Error *ret_error) {
        static const WorkerHandlers handlers = {
                .progress = on_worker_progress,
                .event = on_worker_event,
                .ended = on_worker_ended,
        };

        return worker_process_start(job->manager->event, job->manager->libexec_dir, operation, args,
                                    fds, n_fds, &handlers, job, &job->worker, ret_error);
}

int job_run_worker(Job *job, const char *operation, GVariant *args, const int *fds, size_t n_fds,
                   int (*on_result)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                    Error *ret_error),
                   Error *ret_error) {
        int r;

        job->on_worker_result = on_result;
        /* Who gives up does not have to wait for it. */
        if (n_fds == 0 && !job->undoing) {
                job->has_place = places_take(job->manager->workers, job->object.owner, job);
                if (!job->has_place) {
                        job->awaited_operation = operation;
                        job->awaited_args = g_variant_ref_sink(args);
                        job->state = JOB_QUEUED;
                        manager_changed(job->manager, &job->object);
                        return JOB_STEP_PENDING;
                }
        }
        r = start_worker(job, operation, args, fds, n_fds, ret_error);
        if (r < 0) {
                leave_place(job);
                return r;
        }
        return JOB_STEP_PENDING;
}

void job_forget_worker(Job *job) {
        if (!job->awaited_args)
                return;
        g_clear_pointer(&job->awaited_args, g_variant_unref);
        job->on_worker_result = NULL;
        job->on_worker_event = NULL;
        places_forget(job->manager->workers, job->object.owner, job);
}
