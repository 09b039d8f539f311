/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/disk-usage.h"

#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* Nothing is locked: a volume that goes meanwhile is an error of this job alone. */
typedef struct UsageJob {
        ObjectKind kind;
        char *name;
        uint64_t generation;
        DiskUsageFunc func; /* NULL once it was called */
        void *userdata;
} UsageJob;

static void usage_job_free(void *p) {
        UsageJob *data = p;

        g_free(data->name);
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
        Object *o = manager_find(job->manager, data->kind, data->name);
        bool is_volume = data->kind == OBJECT_VOLUME;
        g_autofree char *pool_name = NULL;
        StoragePool *pool;
        GVariantDict args;
        int r;

        if (!o || o->generation != data->generation)
                return error_set(ret_error,
                                 is_volume ? ERROR_NO_SUCH_VOLUME : ERROR_NO_SUCH_CONTAINER,
                                 "%s \"%s\" has gone", is_volume ? "Volume" : "Container",
                                 data->name);
        pool_name = is_volume ? storage_volume_get_pool((StorageVolume *) o)
                              : g_strdup(((Container *) o)->pool);
        r = step_wait_for_pool(job, pool_name, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        if (is_volume)
                g_variant_dict_insert(&args, "volume", "s",
                                      storage_volume_get_name((StorageVolume *) o));
        else
                g_variant_dict_insert(&args, "container", "s", data->name);
        return job_run_worker(job, is_volume ? OPERATION_VOLUME_USAGE : OPERATION_CONTAINER_USAGE,
                              g_variant_dict_end(&args), NULL, 0, usage_done, ret_error);
}

static int usage_undo(Job *job, Error *ret_error) {
        tell(job->data, NULL, &job->error);
        return JOB_STEP_DONE;
}

int disk_usage(Manager *m, Caller caller, Object *o, DiskUsageFunc func, void *userdata, Job **ret,
               Error *ret_error) {
        static const JobStep steps[] = {
                { "Measuring", usage_run, usage_undo },
                { NULL },
        };
        UsageJob *data = g_new0(UsageJob, 1);
        Job *job;
        int r;

        data->kind = o->kind;
        data->name = g_strdup(o->name);
        data->generation = o->generation;
        data->func = func;
        data->userdata = userdata;
        r = job_new(m, o->kind == OBJECT_VOLUME ? "volume-disk-usage" : "container-disk-usage",
                    caller.uid, steps, data, usage_job_free, &job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, o->kind, o->name);
        *ret = job;
        return 0;
}
