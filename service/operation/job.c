/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/job.h"

#include <errno.h>

#include "service/operation/manager.h"
#include "service/operation/pool-sweep.h"
#include "service/operation/pool.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

static const char *const states[] = {
        [JOB_QUEUED] = "queued",
        [JOB_RUNNING] = "running",
        [JOB_CANCELLING] = "cancelling",
        [JOB_DONE] = "done",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _JOB_STATE_MAX);

static const char *const results[] = {
        [JOB_RESULT_NONE] = "",
        [JOB_RESULT_DONE] = "done",
        [JOB_RESULT_FAILED] = "failed",
        [JOB_RESULT_CANCELLED] = "cancelled",
};
G_STATIC_ASSERT(G_N_ELEMENTS(results) == _JOB_RESULT_MAX);

const char *job_state_to_string(JobState state) {
        return states[state];
}

const char *job_result_to_string(JobResult result) {
        return results[result];
}

bool job_has_ended(const Job *job) {
        return job->state == JOB_DONE;
}

static void subject_clear(void *p) {
        JobSubject *subject = p;

        g_free(subject->name);
}

/* --- counting --- */

/* One user's ended jobs must not keep others from starting theirs. */
static void job_make_room(Manager *manager, uid_t owner) {
        Job *job, *oldest = NULL;
        GHashTableIter iter;
        unsigned kept = 0;

        g_hash_table_iter_init(&iter, manager->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job)) {
                if (job->object.owner != owner)
                        continue;
                kept++;
                if (job_has_ended(job) &&
                    (!oldest || job->object.generation < oldest->object.generation))
                        oldest = job;
        }
        if (kept >= JOBS_KEPT_PER_UID_MAX && oldest)
                manager_remove(manager, &oldest->object);
}

static bool is_left(const Job *job) {
        return job->left && job_has_ended(job);
}

/* Of those that have ended and whose starter has left. */
static void make_room_among_left(Manager *manager, uid_t owner) {
        for (;;) {
                Job *job, *oldest = NULL;
                GHashTableIter iter;
                unsigned n = 0;

                g_hash_table_iter_init(&iter, manager->objects[OBJECT_JOB]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &job)) {
                        if (!is_left(job) || job->object.owner != owner)
                                continue;
                        n++;
                        if (!oldest || job->object.generation < oldest->object.generation)
                                oldest = job;
                }
                if (n <= JOBS_LEFT_PER_UID_MAX)
                        return;
                manager_remove(manager, &oldest->object);
        }
}

void jobs_starter_left(Manager *manager, const char *sender) {
        GHashTableIter iter;
        uid_t owner = 0;
        bool any = false;
        Job *job;

        g_hash_table_iter_init(&iter, manager->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job)) {
                if (g_strcmp0(job->sender, sender) != 0)
                        continue;
                job->left = true;
                if (job->ends_with_starter)
                        (void) job_cancel(job, NULL);
                /* A connection has one user. */
                owner = job->object.owner;
                any = true;
        }
        if (any)
                make_room_among_left(manager, owner);
}

static int job_check_limits(Manager *manager, uid_t owner, Error *ret_error) {
        GHashTable *jobs = manager->objects[OBJECT_JOB];
        unsigned running = 0, own = 0;
        GHashTableIter iter;
        Job *job;

        g_hash_table_iter_init(&iter, jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job)) {
                if (job_has_ended(job))
                        continue;
                running++;
                if (job->object.owner == owner)
                        own++;
        }
        if (owner != 0 && own >= JOBS_RUNNING_PER_UID_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "User %u runs %u jobs already; wait for one to end", owner, own);
        if (running >= JOBS_RUNNING_MAX || g_hash_table_size(jobs) >= JOBS_KEPT_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "The service runs %u jobs already; try again later", running);
        return 0;
}

/* --- life --- */

int job_new(Manager *manager, const char *operation, uid_t owner, const JobStep *steps, void *data,
            GDestroyNotify free_data, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = g_new0(Job, 1);
        g_autofree char *name = g_strdup_printf("%u", ++manager->last_job_id);
        int r;

        object_init(&job->object, OBJECT_JOB, name, owner);
        job->manager = manager;
        job->operation = operation;
        job->steps = steps;
        job->data = data;
        job->free_data = free_data;
        job->subjects = g_array_new(FALSE, FALSE, sizeof(JobSubject));
        g_array_set_clear_func(job->subjects, subject_clear);
        job->locks = g_ptr_array_new();
        job->warnings = g_ptr_array_new_with_free_func(g_free);
        job->stage = g_strdup("");
        job->progress = -1;
        job->exit_status = -1;
        job->cancelable = true;
        job->started = (uint64_t) g_get_real_time();

        job_make_room(manager, owner);
        r = job_check_limits(manager, owner, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(job);
        return 0;
}

static void job_unlock_all(Job *job) {
        while (job->locks->len > 0)
                job_unlock(job, g_ptr_array_index(job->locks, job->locks->len - 1));
}

Job *job_free(Job *job) {
        if (!job)
                return NULL;

        worker_process_free(job->worker);
        job_forget_worker(job);
        job_unlock_all(job);
        sd_event_source_disable_unref(job->advance_source);
        sd_event_source_disable_unref(job->linger_source);
        if (job->free_data)
                job->free_data(job->data);
        g_ptr_array_unref(job->locks);
        g_ptr_array_unref(job->warnings);
        g_array_unref(job->subjects);
        error_clear(&job->error);
        g_free(job->sender);
        g_free(job->stage);
        object_done(&job->object);
        g_free(job);
        return NULL;
}

int job_lock(Job *job, Object *o, Error *ret_error) {
        Job *holder = manager_get_lock(job->manager, o);

        if (holder == job)
                return 0;
        if (holder)
                return error_set(ret_error, ERROR_BUSY,
                                 "Job %s (%s) works on the %s \"%s\"; wait for it or cancel it",
                                 holder->object.name, holder->operation,
                                 object_kind_to_noun(o->kind), o->name);
        g_ptr_array_add(job->locks, o);
        g_hash_table_insert(job->manager->locks, o, job);
        return 0;
}

void job_unlock(Job *job, Object *o) {
        if (g_ptr_array_remove(job->locks, o))
                g_hash_table_remove(job->manager->locks, o);
}

void job_add_subject(Job *job, ObjectKind kind, const char *name) {
        JobSubject subject = { kind, g_strdup(name) };

        g_array_append_val(job->subjects, subject);
        manager_changed(job->manager, &job->object);
}

void job_clear_subjects(Job *job) {
        g_array_set_size(job->subjects, 0);
}

void job_warn(Job *job, const char *text) {
        g_ptr_array_add(job->warnings, g_strdup(text));
        manager_changed(job->manager, &job->object);
}

void job_warn_result(Job *job, GVariant *result) {
        g_autofree const char **warnings = NULL;

        if (g_variant_lookup(result, "warnings", "^a&s", &warnings))
                for (const char **text = warnings; *text; text++)
                        job_warn(job, *text);
}

void job_set_progress(Job *job, const char *stage, double progress) {
        if (stage && !g_str_equal(stage, job->stage)) {
                g_free(job->stage);
                job->stage = g_strdup(stage);
        }
        job->progress = progress;
        manager_changed(job->manager, &job->object);
}

/* --- steps --- */

static void job_schedule(Job *job);

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;

        manager_remove(job->manager, &job->object);
        return 0;
}

static void wake_waiters(Job *job) {
        GHashTableIter iter;
        Job *other;

        g_hash_table_iter_init(&iter, job->manager->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other)) {
                if (other->waits_for != job)
                        continue;
                other->waits_for = NULL;
                other->state = JOB_RUNNING;
                job_schedule(other);
        }
}

static void job_finish(Job *job) {
        job->state = JOB_DONE;
        job->cancelable = false;
        if (!job->undoing)
                job->result = JOB_RESULT_DONE;
        else if (job->error.code == ERROR_CANCELLED)
                job->result = JOB_RESULT_CANCELLED;
        else
                job->result = JOB_RESULT_FAILED;
        if (job->result == JOB_RESULT_FAILED)
                log_info("Job %s (%s) failed: %s", job->object.name, job->operation,
                         job->error.message);
        job_set_progress(job, "", job->undoing ? -1 : 1);
        job_unlock_all(job);
        wake_waiters(job);
        manager_job_finished(job->manager, job);
        if (job->one_died && !g_str_equal(job->operation, POOL_SWEEP))
                pools_sweep(job->manager);
        (void) sd_event_add_time_relative(job->manager->event, &job->linger_source, CLOCK_MONOTONIC,
                                          JOB_LINGER_USEC, 0, on_linger, job);
        if (job->left)
                make_room_among_left(job->manager, job->object.owner);
}

/* Goes one step back. */
static void job_undo(Job *job) {
        g_auto(Error) error = ERROR_INIT;
        const JobStep *step = &job->steps[job->step];
        int r = JOB_STEP_DONE;

        if (step->undo)
                r = step->undo(job, &error);
        if (r == JOB_STEP_PENDING)
                return;
        if (r < 0)
                log_error("Job %s (%s) cannot be undone: %s; the next start of the service will "
                          "try again.", job->object.name, job->operation, error.message);
        if (r < 0 || --job->step < 0)
                job_finish(job);
        else
                job_schedule(job);
}

static void job_begin_undo(Job *job) {
        job->undoing = true;
        job->cancelable = false;
        job_set_progress(job, "Undoing", -1);
        job_schedule(job);
}

static void job_advance(Job *job) {
        const JobStep *step = &job->steps[job->step];
        int r;

        if (job->undoing) {
                job_undo(job);
                return;
        }
        if (!step->run) {
                job_finish(job);
                return;
        }
        if (job->state == JOB_CANCELLING) {
                (void) error_set(&job->error, ERROR_CANCELLED, "The job was cancelled");
                job_begin_undo(job);
                return;
        }
        job->state = JOB_RUNNING;
        if (step->stage)
                job_set_progress(job, step->stage, -1);
        r = step->run(job, &job->error);
        if (r != JOB_STEP_PENDING)
                job_step_done(job, r);
}

static int on_advance(sd_event_source *source, void *userdata) {
        job_advance(userdata);
        return 0;
}

/* Steps run from the loop, never from each other: no recursion, and every caller of a job function
 * may still touch the job afterwards. */
static void job_schedule(Job *job) {
        if (!job->advance_source)
                (void) sd_event_add_defer(job->manager->event, &job->advance_source, on_advance,
                                          job);
        (void) sd_event_source_set_enabled(job->advance_source, SD_EVENT_ONESHOT);
}

void job_start(Job *job) {
        manager_add(job->manager, &job->object);
        job_schedule(job);
}

void job_step_done(Job *job, int r) {
        job->on_cancel = NULL;
        if (job->undoing) {
                if (r < 0 || --job->step < 0)
                        job_finish(job);
                else
                        job_schedule(job);
                return;
        }
        if (r < 0) {
                (void) error_set_errno(&job->error, -r, "The job failed"); /* if nothing is set */
                job_begin_undo(job);
                return;
        }
        job->step++;
        job_schedule(job);
}

int job_cancel(Job *job, Error *ret_error) {
        if (job_has_ended(job) || job->state == JOB_CANCELLING || job->undoing)
                return 0;
        if (!job->cancelable)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Job %s (%s) cannot be cancelled", job->object.name,
                                 job->operation);

        if (job->waits_for) {
                job->waits_for = NULL;
                job_schedule(job);
        }
        if (job->awaited_args) {
                job_forget_worker(job);
                job_schedule(job);
        }
        job->state = JOB_CANCELLING;
        if (job->worker)
                worker_process_cancel(job->worker);
        else if (job->on_cancel)
                job->on_cancel(job);
        manager_changed(job->manager, &job->object);
        return 0;
}

int job_wait_for(Job *job, Job *other) {
        job->waits_for = other;
        job->state = JOB_QUEUED;
        manager_changed(job->manager, &job->object);
        return JOB_STEP_PENDING;
}

void job_repeat_step(Job *job) {
        job->step += job->undoing ? 1 : -1; /* job_step_done() goes one on, or back */
}
