/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container.h"

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/container-stateful.h"
#include "service/operation/container-templates.h"
#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/*
 * The record under the old name says where the rename leads; then the volume is renamed; then the
 * record under the new name is written, and the old one removed. Whatever is interrupted is
 * finished at the next start from "rename-to".
 */

static int rename_mark(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        g_free(data->container->rename_to);
        data->container->rename_to = g_strdup(data->name);
        return manager_save(job->manager, &data->container->object, ret_error);
}

static int rename_mark_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        g_clear_pointer(&data->container->rename_to, g_free);
        return manager_save(job->manager, &data->container->object, ret_error);
}

static int rename_volume_to(Job *job, const char *from, const char *to, Error *ret_error) {
        ContainerJob *data = job->data;
        StoragePool *pool;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, data->container->pool, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "container", "s", from);
        g_variant_dict_insert(&args, "name", "s", to);
        return job_run_worker(job, OPERATION_CONTAINER_RENAME, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

static int rename_volume(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return rename_volume_to(job, data->container->object.name, data->name, ret_error);
}

static int rename_volume_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return rename_volume_to(job, data->name, data->container->object.name, ret_error);
}

static int rename_commit(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        Manager *m = job->manager;
        g_autofree char *old = g_strdup(c->object.name);
        g_autoptr(GVariant) record = NULL;
        GVariantDict details;
        int r;

        g_clear_pointer(&c->rename_to, g_free);
        if (!config_get(c->config, TEMPLATE_TRIGGER_KEY))
                container_set_template_trigger(c, "rename");
        record = container_to_record(c);
        r = record_dir_write(m->records[OBJECT_CONTAINER], data->name, record, ret_error);
        if (r < 0) {
                /* It may be there, and not be sure to last. */
                (void) record_dir_remove(m->records[OBJECT_CONTAINER], data->name, NULL);
                c->rename_to = g_strdup(data->name);
                return r;
        }
        /* If this one fails, the old record still leads to the new one. */
        (void) manager_forget(m, OBJECT_CONTAINER, old, NULL);
        container_forget_files(m, c);
        manager_rename(m, &c->object, data->name);
        manager_save_copy(m, &c->object);
        job_clear_subjects(job);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        usage_changed(m, &c->object);

        g_variant_dict_init(&details, NULL);
        g_variant_dict_insert(&details, "name", "s", old);
        manager_lifecycle(m, c, "renamed", g_variant_dict_end(&details));
        return JOB_STEP_DONE;
}

static const JobStep rename_steps[] = {
        { NULL, rename_mark, rename_mark_undo },
        { "Renaming the container", rename_volume, rename_volume_undo },
        { NULL, rename_commit, NULL },
        { NULL },
};

int container_rename(Manager *m, Caller caller, Container *c, const char *name, Job **ret,
                     Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ContainerJob *data;
        int r;

        r = name_check(NAME_CONTAINER, name, ret_error);
        if (r >= 0 && g_strcmp0(c->rename_to, name) != 0)
                r = manager_check_free(m, OBJECT_CONTAINER, name, ret_error);
        if (r >= 0 && !c->rename_to)
                r = pool_check_no_files(m, c->pool, "containers", name, ret_error);
        if (r < 0)
                return r;
        if (c->state != CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is %s; only a stopped one can be renamed",
                                 c->object.name, container_state_to_string(c->state));
        r = stateful_check_none(c, "renamed", ret_error);
        if (r < 0)
                return r;
        data = container_job_new(c);
        data->name = g_strdup(name);
        r = job_new(m, "container-rename", caller.uid, rename_steps, data, container_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}
