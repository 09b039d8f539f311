/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/size.h"
#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* All that an update exchanges, with what is needed to exchange it back. */
typedef struct UpdateJob {
        StoragePool *pool; /* locked by the job */
        GVariant *config;
        char *description;
        uint64_t grow;     /* to so many bytes; 0: it stays as large as it is */
        bool settle;       /* its files say something of its configuration */
        SizePlan *plan;
} UpdateJob;

static void update_job_free(void *p) {
        UpdateJob *data = p;

        if (!data)
                return;
        g_clear_pointer(&data->config, g_variant_unref);
        g_free(data->description);
        (void) size_plan_free(data->plan);
        g_free(data);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UpdateJob, update_job_free)

static void update_swap(UpdateJob *data) {
        StoragePool *pool = data->pool;
        GVariant *config = pool->config;
        char *description = pool->description;

        pool->config = data->config;
        pool->description = data->description;
        data->config = config;
        data->description = description;
}

static int update_commit(Manager *m, UpdateJob *data, Error *ret_error) {
        StoragePool *pool = data->pool;
        int r;

        update_swap(data);
        pool->object.revision++;
        r = manager_save(m, &pool->object, ret_error);
        if (r < 0) {
                update_swap(data);
                pool->object.revision--;
                return r;
        }
        manager_changed(m, &pool->object);
        return 0;
}

/* A pool that has grown stays so: what the record says is what was asked for at least. */
static int step_grow(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;
        GVariantDict args;

        if (data->grow == 0)
                return JOB_STEP_DONE;
        if (data->pool->state != POOL_AVAILABLE)
                return storage_pool_unavailable(data->pool, ret_error);
        g_variant_dict_init(&args, NULL);
        pool_put_source(&args, job->manager, data->pool, data->grow);
        return job_run_worker(job, OPERATION_POOL_GROW, g_variant_dict_end(&args), NULL, 0, NULL,
                              ret_error);
}

static int settle(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        pool_put_source(&args, job->manager, data->pool, 0);
        return job_run_worker(job, OPERATION_POOL_MOUNT, g_variant_dict_end(&args), NULL, 0, NULL,
                              ret_error);
}

/* What is made in it from now on is as its configuration says. */
static int step_settle(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;
        int r;

        if (!data->settle)
                return JOB_STEP_DONE;
        if (data->pool->state != POOL_AVAILABLE)
                return storage_pool_unavailable(data->pool, ret_error);
        update_swap(data);
        r = settle(job, ret_error);
        update_swap(data);
        return r;
}

static int step_settle_undo(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;

        return data->settle && data->pool->state == POOL_AVAILABLE ? settle(job, ret_error)
                                                                   : JOB_STEP_DONE;
}

static int step_enter(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;

        return size_plan_enter(data->plan, ret_error);
}

static int step_leave(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;

        size_plan_leave(data->plan);
        return JOB_STEP_DONE;
}

static int step_sizes(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;

        return size_plan_run(data->plan, job, false, ret_error);
}

static int step_sizes_undo(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;

        return size_plan_run(data->plan, job, true, ret_error);
}

static int step_commit(Job *job, Error *ret_error) {
        return update_commit(job->manager, job->data, ret_error);
}

static int update_job_new(Manager *m, Caller caller, UpdateJob *owned, Job **ret,
                          Error *ret_error) {
        static const JobStep steps[] = {
                { "Growing the storage pool", step_grow, NULL },
                { "Changing the storage pool", step_settle, step_settle_undo },
                { NULL, step_enter, step_leave },
                { "Changing sizes", step_sizes, NULL, .again = true },
                { NULL, step_commit, step_sizes_undo },
                { NULL, step_leave, NULL },
                { NULL },
        };
        StoragePool *pool = owned->pool;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, "pool-update", caller.uid, steps, owned, update_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &pool->object, ret_error);
        if (r >= 0)
                r = size_plan_lock(owned->plan, job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false;
        job_add_subject(job, OBJECT_POOL, pool->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

static int check_same(const UpdateJob *data, const char *key, Error *ret_error) {
        const StoragePool *pool = data->pool;

        if (g_strcmp0(config_get(pool->config, key), config_get(data->config, key)) == 0)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "The %s of storage pool \"%s\" cannot be changed: create another and move "
                         "what is in it", key, pool->object.name);
}

/* What it is made of stays. */
static int check_keys(const UpdateJob *data, uint64_t *ret_grow, Error *ret_error) {
        static const char *const fixed[] = {
                "source", "lvm.thinpool_metadata_size", "lvm.thinpool_name", "lvm.vg_name",
        };
        const StoragePool *pool = data->pool;
        const char *old = config_get(pool->config, "size"), *new = config_get(data->config, "size");
        uint64_t before = 0;
        int r = 0;

        *ret_grow = 0;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fixed); i++)
                r = check_same(data, fixed[i], ret_error);
        if (r >= 0)
                r = storage_pool_check_config(pool->driver,
                                              config_get(data->config, "source") ?: "",
                                              data->config, ret_error);
        if (r < 0)
                return r;
        if (g_strcmp0(old, new) == 0)
                return 0;
        if (!new)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Storage pool \"%s\" has a size, which cannot be unset",
                                 pool->object.name);
        if (!storage_pool_has_file(pool))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"size\" is for a btrfs or lvm pool in a loop file of its own; "
                                 "\"%s\" is as large as \"%s\"", pool->object.name, pool->source);
        r = size_parse(new, ret_grow, ret_error);
        if (r >= 0 && old && size_parse(old, &before, NULL) >= 0 && before > *ret_grow)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Storage pool \"%s\" cannot be made smaller than %s",
                                 pool->object.name, old);
        return r;
}

static int update_check(Manager *m, const PoolChange *change, UpdateJob *data, Error *ret_error) {
        StoragePool *pool = data->pool;
        Job *holder = manager_get_lock(m, &pool->object);
        int r;

        if (change->if_revision && *change->if_revision != pool->object.revision)
                return error_set(ret_error, ERROR_CONFLICT,
                                 "Storage pool \"%s\" has changed meanwhile; read it again",
                                 pool->object.name);
        if (holder)
                return error_set(ret_error, ERROR_BUSY,
                                 "Job %s (%s) works on the storage pool \"%s\"",
                                 holder->object.name, holder->operation, pool->object.name);
        r = config_check(change->set, change->unset, CONFIG_SCOPE_POOL, ret_error);
        return r < 0 ? r : check_keys(data, &data->grow, ret_error);
}

int pool_update(Manager *m, Caller caller, StoragePool *pool, const PoolChange *change, Job **ret,
                Error *ret_error) {
        g_autoptr(UpdateJob) data = g_new0(UpdateJob, 1);
        int r;

        data->pool = pool;
        data->config = config_merge(pool->config, change->set, change->unset);
        data->description = g_strdup(change->description ?: pool->description);
        r = update_check(m, change, data, ret_error);
        if (r < 0)
                return r;
        data->plan = size_plan_new(m);
        update_swap(data);
        size_plan_finish(data->plan);
        update_swap(data);
        data->settle = g_str_equal(pool->driver, "lvm");
        if (data->grow > 0 || data->settle || !size_plan_is_empty(data->plan))
                return update_job_new(m, caller, TAKE_PTR(data), ret, ret_error);
        *ret = NULL;
        return update_commit(m, data, ret_error);
}
