/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/container-copy.h"
#include "service/operation/container-stateful.h"
#include "service/operation/pool-records.h"
#include "service/operation/pool.h"
#include "service/operation/snapshot.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/*
 * A stopped container and its snapshots are copied to another pool, then it is recorded as being
 * there, then what was in the first pool is deleted. "move-pool" of the record is always the pool
 * that may hold files which are not, or no longer, the container's: whatever is interrupted, these
 * are deleted at the next start.
 */

typedef struct MoveJob {
        ContainerJob container;
        char *pool; /* where it goes; NULL when only the rest is deleted */
        IdMap *shifted; /* how it is stored there */
        bool committed;
} MoveJob;

static void move_job_free(void *p) {
        MoveJob *data = p;

        g_free(data->pool);
        idmap_free(data->shifted);
        container_job_free(p);
}

static int set_move_pool(Job *job, const char *pool, Error *ret_error) {
        MoveJob *data = job->data;
        Container *c = data->container.container;

        g_free(c->move_pool);
        c->move_pool = g_strdup(pool);
        return manager_save(job->manager, &c->object, ret_error);
}

static int move_wait(Job *job, Error *ret_error) {
        MoveJob *data = job->data;
        StoragePool *pool;
        int r = step_wait_for_pool(job, data->container.container->pool, &pool, ret_error);

        return r != JOB_STEP_DONE ? r : step_wait_for_pool(job, data->pool, &pool, ret_error);
}

static int move_mark(Job *job, Error *ret_error) {
        return set_move_pool(job, ((MoveJob *) job->data)->pool, ret_error);
}

static int move_mark_undo(Job *job, Error *ret_error) {
        MoveJob *data = job->data;

        return data->committed ? JOB_STEP_DONE : set_move_pool(job, NULL, ret_error);
}

static int move_copy_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        MoveJob *data = job->data;

        return step_read_idmap(result, &data->shifted, ret_error);
}

static int move_copy(Job *job, Error *ret_error) {
        MoveJob *data = job->data;
        Manager *m = job->manager;
        const Container *c = data->container.container;
        GVariantBuilder names;
        GVariantDict args;

        g_variant_builder_init(&names, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; i < c->snapshots->len; i++)
                g_variant_builder_add(&names, "s", snapshot_get_name(c->snapshots->pdata[i]));
        g_variant_dict_init(&args, NULL);
        step_put_copy(&args, m, manager_find_pool(m, c->pool), manager_find_pool(m, data->pool), c,
                      "", c);
        g_variant_dict_insert(&args, "refresh", "b", FALSE);
        g_variant_dict_insert_value(&args, "snapshots", g_variant_builder_end(&names));
        return job_run_worker(job, OPERATION_CONTAINER_COPY, g_variant_dict_end(&args), NULL, 0,
                              move_copy_done, ret_error);
}

/* Deletes what "move-pool" holds. A pool that is no more has no volumes. */
static int move_delete(Job *job, Error *ret_error) {
        MoveJob *data = job->data;
        const Container *c = data->container.container;
        StoragePool *pool;
        GVariantDict args;
        int r;

        if (!c->move_pool || !manager_find_pool(job->manager, c->move_pool))
                return JOB_STEP_DONE;
        r = step_wait_for_pool(job, c->move_pool, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        return job_run_worker(job, OPERATION_CONTAINER_DELETE, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

static int move_copy_undo(Job *job, Error *ret_error) {
        MoveJob *data = job->data;

        return data->committed ? JOB_STEP_DONE : move_delete(job, ret_error);
}

static void put_root(Manager *m, char **profiles, GVariant **devices, const char *pool) {
        g_autoptr(GVariant) old = *devices;

        *devices = devices_with_pool(m, (const char *const *) profiles, old, pool);
}

static int move_commit(Job *job, Error *ret_error) {
        MoveJob *data = job->data;
        Manager *m = job->manager;
        Container *c = data->container.container;
        g_autoptr(UsageNote) used = usage_note(m, &c->object);
        char *old = c->pool;
        int r;

        job->cancelable = false;
        put_root(m, c->profiles, &c->devices, data->pool);
        for (guint i = 0; i < c->snapshots->len; i++) {
                Snapshot *s = c->snapshots->pdata[i];

                put_root(m, s->profiles, &s->devices, data->pool);
        }
        c->pool = g_strdup(data->pool);
        container_set_shifted(c, data->shifted ? idmap_copy(data->shifted) : NULL);
        c->object.revision++;
        r = set_move_pool(job, old, ret_error);
        if (r < 0) { /* the record has no word of it; the devices fit the old pool by its name */
                put_root(m, c->profiles, &c->devices, old);
                g_free(c->pool);
                c->pool = old;
                g_free(c->move_pool);
                c->move_pool = g_strdup(data->pool);
                return r;
        }
        pool_records_forget(m, OBJECT_CONTAINER, old, c->object.name);
        g_free(old);
        data->committed = true;
        manager_changed(m, &c->object);
        usage_note_tell(used);
        manager_lifecycle(m, c, "moved", NULL);
        return JOB_STEP_DONE;
}

static int move_end(Job *job, Error *ret_error) {
        MoveJob *data = job->data;
        const Container *c = data->container.container;

        /* Once more: the service may have been killed before it was forgotten. */
        if (c->move_pool && !g_str_equal(c->move_pool, c->pool))
                pool_records_forget(job->manager, OBJECT_CONTAINER, c->move_pool, c->object.name);
        return set_move_pool(job, NULL, ret_error);
}

static const JobStep move_steps[] = {
        { "Waiting for storage", move_wait, NULL },
        { "Settling what was interrupted", snapshots_step_settle, NULL, .again = true },
        { NULL, move_mark, move_mark_undo },
        { "Copying the container", move_copy, move_copy_undo },
        { NULL, move_commit, NULL },
        { "Deleting it in the old pool", move_delete, NULL, .again = true },
        { NULL, move_end, NULL },
        { NULL },
};

static const JobStep recover_steps[] = {
        { "Deleting what a move left", move_delete, NULL, .again = true },
        { NULL, move_end, NULL },
        { NULL },
};

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   Container *c, const char *pool, Job **ret, Error *ret_error) {
        MoveJob *data = g_new0(MoveJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->container.container = c;
        data->pool = g_strdup(pool);
        r = job_new(m, operation, caller.uid, steps, data, move_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

int container_move(Manager *m, Caller caller, Container *c, const char *pool, Job **ret,
                   Error *ret_error) {
        Object *unused;
        int r;

        r = name_check(NAME_POOL, pool, ret_error);
        if (r >= 0)
                r = manager_get(m, OBJECT_POOL, pool, &unused, ret_error);
        if (r < 0)
                return r;
        if (g_str_equal(pool, c->pool))
                return error_set(ret_error, ERROR_EXISTS, "Container \"%s\" is on pool \"%s\"",
                                 c->object.name, pool);
        if (c->state != CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is %s; only a stopped one can be moved to "
                                 "another pool: stop it first", c->object.name,
                                 container_state_to_string(c->state));
        r = stateful_check_none(c, "moved", ret_error);
        if (r < 0)
                return r;
        if (c->shifted)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Container \"%s\" is stored with the ids of its own range, since "
                                 "its pool's filesystem cannot be mounted idmapped; such ones "
                                 "cannot be moved yet", c->object.name);
        return new_job(m, "container-move", caller, move_steps, c, pool, ret, ret_error);
}

int container_move_recover(Manager *m, Container *c, Job **ret, Error *ret_error) {
        return new_job(m, "container-recover", CALLER_SERVICE, recover_steps, c, NULL, ret,
                       ret_error);
}
