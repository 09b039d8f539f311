/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/archive.h"
#include "service/operation/container-archive.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-import-plan.h"
#include "service/operation/container-templates.h"
#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"

/*
 * One worker reads the archive from its first byte to its last. When it has the index, it stops
 * and waits: what the container is to be is checked as if the caller had asked for it, which may
 * need a question to polkit; then the container is recorded as incomplete, and the worker is told
 * where to unpack. Interrupted, the container is deleted at the next start.
 */

typedef struct ImportJob {
        ContainerJob target; /* its container is NULL before the index, and once it was removed */
        Caller caller;
        char *name, *pool;
        int fd;              /* -EBADF once it has been handed on */
        GVariant *index;     /* as the worker gave it; NULL: not yet */
        bool asked, told;
        bool renamed;        /* it is not called as in the archive */
        bool committed;
        void (*read)(Job *job, const char *name, const PrivilegeChange *needed,
                     const Error *error, void *userdata);
        void *userdata;
} ImportJob;

static void import_job_free(void *p) {
        ImportJob *data = p;

        fd_close(data->fd);
        g_clear_pointer(&data->index, g_variant_unref);
        g_free(data->name);
        g_free(data->pool);
        container_job_free(p);
}

/* Says once that the container is there, or that it will not be. */
static void import_tell(Job *job, const Error *error) {
        ImportJob *data = job->data;

        if (data->told)
                return;
        data->told = true;
        if (data->read)
                data->read(job, error ? NULL : data->target.container->object.name, NULL, error,
                           data->userdata);
}

/* --- the verdict --- */

static GVariant *accept_args(Job *job) {
        ImportJob *data = job->data;
        const Container *c = data->target.container;
        g_autoptr(IdMap) map = container_get_idmap(job->manager, c);
        GVariantBuilder snapshots;
        GVariantDict args;

        g_variant_builder_init(&snapshots, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; i < c->snapshots->len; i++)
                g_variant_builder_add(&snapshots, "s", snapshot_get_name(c->snapshots->pdata[i]));
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, manager_find_pool(job->manager, c->pool));
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "size", "t", container_get_size(job->manager, c));
        g_variant_dict_insert(&args, "id-count", "t", (guint64) idmap_end(map));
        g_variant_dict_insert_value(&args, "snapshots", g_variant_builder_end(&snapshots));
        return g_variant_dict_end(&args);
}

static int import_accept(Job *job, ImportPlan *plan, Error *ret_error) {
        ImportJob *data = job->data;
        Manager *m = job->manager;
        Container *c;
        int r;

        r = pool_check_no_files(m, plan->pool, "containers", plan->name, ret_error);
        if (r >= 0)
                r = import_plan_make_container(m, plan, &c, ret_error);
        if (r < 0)
                return r;
        data->renamed = plan->renamed;
        data->target.container = c;
        manager_add(m, &c->object);
        for (guint i = 0; i < c->snapshots->len; i++)
                manager_add(m, &((Snapshot *) c->snapshots->pdata[i])->object);
        r = job_lock(job, &c->object, ret_error);
        g_assert(r >= 0); /* nobody else has seen it yet */
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        for (guint i = 0; i < plan->warnings->len; i++)
                job_warn(job, plan->warnings->pdata[i]);
        usage_changed(m, &c->object);
        r = manager_save(m, &c->object, ret_error);
        if (r >= 0)
                r = worker_process_send(job->worker, "accept", accept_args(job));
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot go on with the import");
        import_tell(job, NULL);
        return 0;
}

static int import_consider(Job *job, Error *ret_error) {
        ImportJob *data = job->data;
        g_auto(ImportPlan) plan = { 0 };
        int r;

        r = import_plan_read(job->manager, data->caller.uid, data->index, data->name, data->pool,
                             &plan, ret_error);
        if (r < 0)
                return r;
        if (plan.needed.privilege > data->caller.privilege && data->read && !data->asked) {
                data->asked = true;
                data->read(job, plan.name, &plan.needed, NULL, data->userdata);
                return 0;
        }
        r = caller_check(data->caller, &plan.needed, plan.name, ret_error);
        return r < 0 ? r : import_accept(job, &plan, ret_error);
}

void container_import_decide(Job *job, Privilege granted, const Error *refusal) {
        ImportJob *data = job->data;
        g_auto(Error) error = ERROR_INIT;

        if (job->state != JOB_RUNNING || !job->worker)
                return; /* it ends already */
        if (refusal) {
                archive_refuse(job, refusal);
                return;
        }
        data->caller.privilege = granted;
        if (import_consider(job, &error) < 0)
                archive_refuse(job, &error);
}

/* --- the index --- */

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        ImportJob *data = job->data;

        archive_take_index(job, fds, n_fds, &data->index, import_consider,
                           "The archive's index cannot be used");
}

/* --- steps --- */

static int import_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

static int import_forget(Job *job, Error *ret_error) {
        ImportJob *data = job->data;
        Container *c = TAKE_PTR(data->target.container);
        int r;

        import_tell(job, &job->error);
        if (!c)
                return JOB_STEP_DONE;
        r = manager_forget(job->manager, OBJECT_CONTAINER, c->object.name, ret_error);
        if (r < 0)
                return r;
        usage_changed(job->manager, &c->object);
        manager_remove(job->manager, &c->object);
        return JOB_STEP_DONE;
}

static int import_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ImportJob *data = job->data;
        Container *c = data->target.container;
        GVariant *templates;

        if (!c || !g_variant_lookup(result, "templates", "@" IMAGE_TEMPLATES_SIGNATURE, &templates))
                return error_set(ret_error, ERROR_FAILED,
                                 "The image worker's result is incomplete");
        g_variant_unref(c->templates);
        c->templates = templates;
        return 0;
}

static int import_run(Job *job, Error *ret_error) {
        ImportJob *data = job->data;
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        GVariantDict args;
        int r;

        g_variant_dict_init(&args, NULL);
        r = job_run_worker(job, OPERATION_CONTAINER_IMPORT, g_variant_dict_end(&args), &fd, 1,
                           import_done, ret_error);
        job->on_worker_event = on_event;
        return r;
}

static int import_run_undo(Job *job, Error *ret_error) {
        ImportJob *data = job->data;

        /* What is there may not be ours. */
        if (!data->target.container || data->committed || job->error.code == ERROR_EXISTS)
                return JOB_STEP_DONE;
        data->target.container->state = CONTAINER_DELETING;
        manager_changed(job->manager, &data->target.container->object);
        return step_delete_volume(job, ret_error);
}

static int import_commit(Job *job, Error *ret_error) {
        ImportJob *data = job->data;
        Container *c = data->target.container;
        int r;

        c->incomplete = false;
        c->state = CONTAINER_STOPPED;
        if (data->renamed)
                container_set_template_trigger(c, "copy");
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                c->incomplete = true;
                return r;
        }
        data->committed = true;
        manager_changed(job->manager, &c->object);
        manager_lifecycle(job->manager, c, "created", NULL);
        return JOB_STEP_DONE;
}

static const JobStep import_steps[] = {
        { NULL, import_begin, import_forget },
        { "Reading the archive", import_run, import_run_undo },
        { NULL, import_commit, NULL },
        { NULL },
};

/* --- the call --- */

static int import_check(Manager *m, const ContainerImport *args, Error *ret_error) {
        Object *unused;
        int r;

        r = archive_check_stream(args->archive, O_RDONLY, "reading", ret_error);
        if (r >= 0 && *args->name)
                r = name_check(NAME_CONTAINER, args->name, ret_error);
        if (r >= 0 && *args->name)
                r = manager_check_free(m, OBJECT_CONTAINER, args->name, ret_error);
        if (r >= 0 && args->pool)
                r = manager_get(m, OBJECT_POOL, args->pool, &unused, ret_error);
        return r;
}

int container_import(Manager *m, Caller caller, const ContainerImport *args, Job **ret,
                     Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImportJob *data;
        int r;

        r = import_check(m, args, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ImportJob, 1);
        data->caller = (Caller) { .uid = caller.uid, .privilege = caller.privilege };
        data->name = g_strdup(args->name);
        data->pool = g_strdup(args->pool);
        data->read = args->read;
        data->userdata = args->userdata;
        data->fd = fcntl(args->archive, F_DUPFD_CLOEXEC, 3);
        r = job_new(m, "container-import", caller.uid, import_steps, data, import_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
}
