/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/disk-usage.h"

#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* Nothing is locked: a volume that goes meanwhile is an error of this job alone. */
typedef struct UsageJob {
        char *container;
        uint64_t generation;
        DiskUsageFunc func; /* NULL once it was called */
        void *userdata;
} UsageJob;

static void usage_job_free(void *p) {
        UsageJob *data = p;

        g_free(data->container);
        g_free(data);
}

static void tell(UsageJob *data, GVariant *found, const Error *error) {
        DiskUsageFunc func = data->func;

        data->func = NULL;
        if (func)
                func(found, error, data->userdata);
}

static int usage_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        tell(job->data, result, NULL);
        return 0;
}

static int usage_run(Job *job, Error *ret_error) {
        UsageJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->container);
        StoragePool *pool;
        GVariantDict args;
        int r;

        if (!c || c->object.generation != data->generation)
                return error_set(ret_error, ERROR_NO_SUCH_CONTAINER, "Container \"%s\" has gone",
                                 data->container);
        r = step_wait_for_pool(job, c->pool, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "container", "s", data->container);
        return job_run_worker(job, OPERATION_VOLUME_USAGE, g_variant_dict_end(&args), NULL, 0,
                              usage_done, ret_error);
}

static int usage_undo(Job *job, Error *ret_error) {
        tell(job->data, NULL, &job->error);
        return JOB_STEP_DONE;
}

int disk_usage(Manager *m, Caller caller, Container *c, DiskUsageFunc func, void *userdata,
               Job **ret, Error *ret_error) {
        static const JobStep steps[] = {
                { "Measuring", usage_run, usage_undo },
                { NULL },
        };
        UsageJob *data = g_new0(UsageJob, 1);
        Job *job;
        int r;

        data->container = g_strdup(c->object.name);
        data->generation = c->object.generation;
        data->func = func;
        data->userdata = userdata;
        r = job_new(m, "container-disk-usage", caller.uid, steps, data, usage_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = job;
        return 0;
}
