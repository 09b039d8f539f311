/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Jobs: what a call began and what goes on after it.
 *
 * A job is a const table of steps. Each step does one thing that lasts (a record written, a worker
 * run) and has an undo for it. When a step fails, or the job is cancelled, the undos of that step
 * and of all before it run in reverse; an undo must therefore cope with a step that did nothing, or
 * did half. If an undo itself fails the chain stops there: the object's record still says what was
 * under way, and the next start of the service tries again.
 *
 * A step returns JOB_STEP_DONE, JOB_STEP_PENDING (it will call job_step_done()), or -errno with the
 * error set. An object that a job has locked is no other job's: job_lock() gives ERROR_BUSY. A job
 * that has ended lingers for JOB_LINGER_USEC, so that nobody can miss its result, also who asks for
 * it from another connection, as two busctl calls in a row do; of those whose starter has left the
 * bus only the last few of each user stay.
 */

#include <systemd/sd-event.h>

#include "service/model/object.h"
#include "service/operation/worker-process.h"
#include "service/util/error.h"

#define JOB_LINGER_USEC (30 * G_USEC_PER_SEC)
/* Jobs that run at a time, all and of one uid; jobs kept, with those that have ended, and those
 * that have ended and whose starter has left. Of one uid the oldest that has ended makes room. */
#define JOBS_RUNNING_MAX 256
#define JOBS_RUNNING_PER_UID_MAX 64
#define JOBS_KEPT_MAX 1024
#define JOBS_KEPT_PER_UID_MAX 128
#define JOBS_LEFT_PER_UID_MAX 16
/* Workers of one uid's jobs that run at a time, but for those that talk with somebody: these may
 * wait for one another. The jobs of others find a processor, however many wait. */
#define WORKERS_PER_UID_MAX 8

enum { JOB_STEP_DONE = 0, JOB_STEP_PENDING = 1 };

typedef struct Manager Manager;
typedef struct Job Job;
typedef struct JobStep JobStep;

typedef enum JobState {
        JOB_QUEUED,
        JOB_RUNNING,
        JOB_CANCELLING,
        JOB_DONE,
        _JOB_STATE_MAX,
} JobState;

typedef enum JobResult {
        JOB_RESULT_NONE,
        JOB_RESULT_DONE,
        JOB_RESULT_FAILED,
        JOB_RESULT_CANCELLED,
        _JOB_RESULT_MAX,
} JobResult;

struct JobStep {
        const char *stage; /* for people, NULL for one that is over at once */
        int (*run)(Job *job, Error *ret_error);
        int (*undo)(Job *job, Error *ret_error);
        bool again; /* one that is not undone: if its worker died, it is run once more */
};

typedef struct JobSubject {
        ObjectKind kind;
        char *name;
} JobSubject;

struct Job {
        Object object;
        Manager *manager;
        const char *operation;
        char *sender;        /* unique bus name of who started it, NULL for the service itself */
        GArray *subjects;    /* JobSubject */
        JobState state;
        JobResult result;
        char *stage;
        double progress;
        bool cancelable;
        bool left;           /* its starter has left the bus */
        bool ends_with_starter; /* then it is cancelled */
        Error error;
        GPtrArray *warnings; /* sentences for people: done, but for this */
        int exit_status;     /* of a command, -1 until it has ended */
        uint64_t started;    /* µs since 1970 */

        const JobStep *steps; /* ends with a NULL run */
        int step;
        bool undoing;
        void *data;
        GDestroyNotify free_data;

        GPtrArray *locks;    /* of Object */
        WorkerProcess *worker;
        bool has_place;      /* of those for workers of its owner's */
        const char *awaited_operation; /* of a worker that waits for a place, */
        GVariant *awaited_args;        /* NULL for none */
        bool worker_died;    /* the last one said nothing, and so has undone nothing */
        bool one_died;       /* any of them */
        bool tried_again;    /* a step, after its worker had died */
        int (*on_worker_result)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                Error *ret_error);
        void (*on_worker_event)(Job *job, GVariant *content, int *fds, size_t n_fds);
        void (*on_cancel)(Job *job); /* for a step that waits for something else than a worker */
        Job *waits_for;
        sd_event_source *advance_source, *linger_source;
};

/* Makes a job; `data` is the job's from then on, also when this fails (ERROR_LIMITS_EXCEEDED). */
int job_new(Manager *manager, const char *operation, uid_t owner, const JobStep *steps, void *data,
            GDestroyNotify free_data, Job **ret, Error *ret_error);
Job *job_free(Job *job);

/* Keeps other jobs from the object until this one has ended. */
int job_lock(Job *job, Object *o, Error *ret_error);
void job_unlock(Job *job, Object *o);
/* What the property Objects lists. */
void job_add_subject(Job *job, ObjectKind kind, const char *name);
void job_clear_subjects(Job *job);

/* Announces the job and runs its first step from the event loop. */
void job_start(Job *job);
/* Ends a pending step: r < 0 with job->error set, or 0. */
void job_step_done(Job *job, int r);
/* Who started jobs by that unique name has left the bus. */
void jobs_starter_left(Manager *manager, const char *sender);
/* Undoes what was done and ends with ERROR_CANCELLED. No-op for a job that has ended. */
int job_cancel(Job *job, Error *ret_error);
/* Lets a step wait for another job: returns JOB_STEP_PENDING, and the step is run again when that
 * has ended, however it did. */
int job_wait_for(Job *job, Job *other);

/* For a step: runs a worker and returns JOB_STEP_PENDING; when it has ended, `on_result` (may be
 * NULL) looks at the result and the step is over. `operation` one of operations.h, `args` a{sv},
 * floating. One that is given no fds, and undoes nothing, may have to wait until others of the
 * owner's have ended. */
int job_run_worker(Job *job, const char *operation, GVariant *args, const int *fds, size_t n_fds,
                   int (*on_result)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                    Error *ret_error),
                   Error *ret_error);

/* For the end of a job: no worker of its is started any more. One that runs is left alone. */
void job_forget_worker(Job *job);

/* For a worker's `on_result`: the step is to be run again instead of the next. */
void job_repeat_step(Job *job);

void job_warn(Job *job, const char *text);
/* The same for "warnings" (as) of a worker's result. */
void job_warn_result(Job *job, GVariant *result);
void job_set_progress(Job *job, const char *stage, double progress);
const char *job_state_to_string(JobState state);
const char *job_result_to_string(JobResult result);
bool job_has_ended(const Job *job);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)
