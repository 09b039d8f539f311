/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/step.h"

#include <sys/statvfs.h>

#include "service/model/config-key.h"
#include "service/operation/container-console.h"
#include "service/operation/container-ids.h"
#include "service/operation/network.h"
#include "service/operation/pool.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

ContainerJob *container_job_new(Container *c) {
        ContainerJob *data = g_new0(ContainerJob, 1);

        data->container = c;
        return data;
}

void container_job_free(void *p) {
        ContainerJob *data = p;

        sd_event_source_disable_unref(data->timer);
        process_watch_free(data->monitor_watch);
        g_free(data->name);
        g_free(data->state_of);
        g_free(data);
}

int step_new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                 Container *c, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, operation, caller.uid, steps, container_job_new(c), container_job_free,
                    &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

char *pool_get_path(Manager *m, const char *name) {
        return g_build_filename(m->state_dir, "mounts", name, NULL);
}

char *container_get_rootfs(Manager *m, const Container *c) {
        g_autofree char *pool = pool_get_path(m, c->pool);

        return g_build_filename(pool, "containers", c->object.name, NULL);
}

void step_put_pool(GVariantDict *args, Manager *m, StoragePool *pool) {
        g_autofree char *path = pool_get_path(m, pool->object.name);

        g_variant_dict_insert(args, "pool", "s", pool->object.name);
        g_variant_dict_insert(args, "pool-driver", "s", pool->driver);
        g_variant_dict_insert(args, "pool-path", "s", path);
}

void step_put_idmap(GVariantDict *args, Manager *m, const Container *c) {
        g_autoptr(IdMap) map = container_get_idmap(m, c);
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(m, c, &config, &devices);
        g_variant_dict_insert_value(args, "idmap", idmap_to_variant(map));
        g_variant_dict_insert(args, "may-shift", "b",
                              !config_get_boolean(config, "security.protection.shift"));
}

int step_read_idmap(GVariant *result, IdMap **ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        gboolean idmapped;

        if (!g_variant_lookup(result, "idmapped", "b", &idmapped) ||
            (!idmapped && !g_variant_lookup(result, "idmap", "@a(suuu)", &value)))
                return error_set(ret_error, ERROR_FAILED,
                                 "The storage worker's result is incomplete");
        *ret = NULL;
        return value ? idmap_from_variant(value, ret, ret_error) : 0;
}

int step_wait_for_pool(Job *job, const char *name, StoragePool **ret, Error *ret_error) {
        Manager *m = job->manager;
        StoragePool *pool;
        Job *other;
        int r;

        r = manager_get(m, OBJECT_POOL, name, (Object **) &pool, ret_error);
        if (r < 0)
                return r;
        if (pool->state == POOL_AVAILABLE) {
                *ret = pool;
                return JOB_STEP_DONE;
        }
        other = manager_get_lock(m, &pool->object);
        if (!other && pool->state == POOL_UNAVAILABLE && pool->tried < job->started) {
                /* Its disk may have come since. */
                r = pool_mount(m, pool, &other, ret_error);
                if (r < 0)
                        return r;
                job_start(other);
        }
        return other && other != job ? job_wait_for(job, other)
                                     : storage_pool_unavailable(pool, ret_error);
}

int step_wait_to_delete(Job *job, const char *name, Error *ret_error) {
        g_autofree char *path = pool_get_path(job->manager, name);
        StoragePool *unused;
        struct statvfs st;
        int r = step_wait_for_pool(job, name, &unused, ret_error);

        if (r != JOB_STEP_DONE || statvfs(path, &st) < 0 || !(st.f_flag & ST_RDONLY))
                return r;
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "Storage pool \"%s\" is read-only, maybe because its disk failed: the "
                         "kernel's log says why", name);
}

int step_begin_volume(Job *job, const Container *c, GVariantDict *args, Error *ret_error) {
        StoragePool *pool;
        int r = step_wait_for_pool(job, c->pool, &pool, ret_error);

        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(args, NULL);
        step_put_pool(args, job->manager, pool);
        g_variant_dict_insert(args, "container", "s", c->object.name);
        return JOB_STEP_DONE;
}

GVariant *step_clean_args(const Container *c) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "lxc-path", "s", c->facts.lxc_path);
        g_variant_dict_insert(&args, "init-pid", "i", (gint32) c->facts.init_pid);
        return g_variant_dict_end(&args);
}

int step_run_clean(Job *job, Container *c, Error *ret_error) {
        if (!c->facts.lxc_path)
                return JOB_STEP_DONE;
        return job_run_worker(job, OPERATION_CLEAN, step_clean_args(c), NULL, 0, NULL, ret_error);
}

void container_forget_files(Manager *m, const Container *c) {
        container_remove_logs(m, c->object.name);
        network_remove_hosts(m, c->object.name);
}
