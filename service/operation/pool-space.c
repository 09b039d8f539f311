/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/pool-space.h"

#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* Nothing is locked: a pool that goes meanwhile is an error of this job alone. */
typedef struct SpaceJob {
        char *pool;
        DiskUsageFunc func; /* NULL once it was called */
        void *userdata;
} SpaceJob;

static void space_job_free(void *p) {
        SpaceJob *data = p;

        g_free(data->pool);
        g_free(data);
}

static void tell(SpaceJob *data, GVariant *found, const Error *error) {
        DiskUsageFunc func = data->func;

        data->func = NULL;
        if (func)
                func(found, error, data->userdata);
}

static int space_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        tell(job->data, result, NULL);
        return 0;
}

static int space_run(Job *job, Error *ret_error) {
        SpaceJob *data = job->data;
        StoragePool *pool;
        GVariantDict args;
        int r = step_wait_for_pool(job, data->pool, &pool, ret_error);

        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        return job_run_worker(job, OPERATION_POOL_SPACE, g_variant_dict_end(&args), NULL, 0,
                              space_done, ret_error);
}

static int space_undo(Job *job, Error *ret_error) {
        tell(job->data, NULL, &job->error);
        return JOB_STEP_DONE;
}

bool pool_space_takes_job(const StoragePool *pool) {
        return g_str_equal(pool->driver, "lvm");
}

int pool_space(Manager *m, Caller caller, StoragePool *pool, DiskUsageFunc func, void *userdata,
               Job **ret, Error *ret_error) {
        static const JobStep steps[] = {
                { "Measuring", space_run, space_undo },
                { NULL },
        };
        SpaceJob *data = g_new0(SpaceJob, 1);
        Job *job;
        int r;

        data->pool = g_strdup(pool->object.name);
        data->func = func;
        data->userdata = userdata;
        r = job_new(m, "pool-space", caller.uid, steps, data, space_job_free, &job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_POOL, pool->object.name);
        *ret = job;
        return 0;
}
