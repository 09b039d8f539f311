/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Steps and parts of steps that several verbs share. */

#include "service/operation/container.h"
#include "service/operation/manager.h"
#include "service/watch/process-watch.h"

/* What the jobs of containers carry; each uses what it needs. */
typedef struct ContainerJob {
        Container *container; /* locked by the job; NULL once it has been removed */
        bool force;
        uint64_t timeout_usec;
        char *name;           /* rename: the new one */
        bool renamed;
        bool templates_made;  /* start: those of its image */
        bool ended;           /* start: its init has gone already */
        ProcessWatch *monitor_watch;
        bool stateless;       /* start: a saved state is forgotten */
        bool had_state;       /* start: there was one; with `stateless` it is none any more */
        char *state_of;       /* start: the snapshot whose state it goes on from, or NULL */
        bool takes_over;      /* start: the service that began it has died */
        sd_event_source *timer;
} ContainerJob;

ContainerJob *container_job_new(Container *c);
void container_job_free(void *p);
/* A job with such data that has the container locked and as its subject. */
int step_new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                 Container *c, Job **ret, Error *ret_error);

/* Arguments that name a pool in a worker's request. */
void step_put_pool(GVariantDict *args, Manager *m, StoragePool *pool);
/* Arguments that say how a container's files are to be stored where they cannot be mounted
 * idmapped; and from the result, the map that they are stored with, NULL for none. */
void step_put_idmap(GVariantDict *args, Manager *m, const Container *c);
int step_read_idmap(GVariant *result, IdMap **ret, Error *ret_error);
/* Where a pool's volumes are. */
char *pool_get_path(Manager *m, const char *name);
char *container_get_rootfs(Manager *m, const Container *c);

/* Waits until the pool can be used; ERROR_BACKEND_FAILED if it cannot be. */
int step_wait_for_pool(Job *job, const char *name, StoragePool **ret, Error *ret_error);
/* For the first step of what deletes files in a pool, before anything says that they go: what
 * cannot be deleted now would else go unasked when the pool comes back. */
int step_wait_to_delete(Job *job, const char *name, Error *ret_error);
/* The same of the container's pool. With JOB_STEP_DONE, `args` has been begun for a worker that has
 * to do with the container's volumes: "pool" and "container" are in it. */
int step_begin_volume(Job *job, const Container *c, GVariantDict *args, Error *ret_error);
/* Runs OPERATION_CLEAN for a run of which something may be left; its arguments, floating. */
GVariant *step_clean_args(const Container *c);
int step_run_clean(Job *job, Container *c, Error *ret_error);

/* Starting: prepare, guard, start, commit; in this order, with their undos. For a ContainerJob.
 * Guard: the rules that say what its nics may send are there before they are. */
int container_check_start(Manager *m, Caller caller, Container *c, Error *ret_error);
int step_start_wait(Job *job, Error *ret_error);
int step_start_prepare(Job *job, Error *ret_error);
int step_start_prepare_undo(Job *job, Error *ret_error);
int step_start_guard(Job *job, Error *ret_error);
int step_start_run(Job *job, Error *ret_error);
int step_start_run_undo(Job *job, Error *ret_error);
int step_start_commit(Job *job, Error *ret_error);

/* Stopping: ask init or kill it, and wait until the run has ended. Done at once when it does not
 * run. */
int step_stop(Job *job, Error *ret_error);
int step_kill(Job *job, Error *ret_error);

/* Before either: a frozen container hears nothing. */
int step_stop_thaw(Job *job, Error *ret_error);
int step_freeze(Job *job, Error *ret_error);
int step_unfreeze(Job *job, Error *ret_error);

/* Reading the files of a container that may run: hold it still, let it go, forget that it was held.
 * The last is also the undo of a step before the first, whose undo is the second. */
int step_hold(Job *job, Error *ret_error);
int step_release(Job *job, Error *ret_error);
int step_released(Job *job, Error *ret_error);

/* Deleting: mark, delete the volume, forget; nothing is undone, what is left is finished at the
 * next start. */
int step_delete_mark(Job *job, Error *ret_error);
int step_delete_volume(Job *job, Error *ret_error);
int step_delete_forget(Job *job, Error *ret_error);

/* For what becomes a container: a free name, made up where `wanted` is ""; the devices with a root
 * disk of the container's own on that pool (full reference). */
int container_choose_name(Manager *m, const char *wanted, char **ret, Error *ret_error);
GVariant *devices_with_pool(Manager *m, const char *const *profiles, GVariant *devices,
                            const char *pool);

/* Removes what lies about for a container beside its volume: its log, its names in the networks. */
void container_forget_files(Manager *m, const Container *c);
