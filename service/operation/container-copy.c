/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-copy.h"

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-stateful.h"
#include "service/operation/container-templates.h"
#include "service/operation/pool.h"
#include "service/operation/snapshot.h"
#include "service/operation/usage.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/*
 * A new container is recorded as incomplete, with the snapshots that it will have; its files are
 * copied; then it is recorded as whole. Interrupted, it is deleted at the next start. The source is
 * locked meanwhile, and held still where its pool cannot take a picture of it at once.
 *
 * A refresh leaves the record as it is but for the snapshots. It is marked with those to come, as
 * stand-ins where there is one of that name already; their files are copied, and then the
 * container's own exchanged by new ones. Then it is recorded as done, and what is no more wanted
 * goes: old files, old snapshots. Interrupted before that, the old files take their place again and
 * the new snapshots go, at the next start too.
 */

typedef struct CopyJob {
        ContainerJob source;  /* what step_freeze() looks at */
        Container *target;    /* NULL once it has been removed */
        char *snapshot;       /* "" for the source itself */
        GPtrArray *new, *gone; /* refresh: Snapshot of the target */
        bool refresh, without_snapshots;
        bool committed; /* nothing is undone any more */
} CopyJob;

static void copy_job_free(void *p) {
        CopyJob *data = p;

        g_clear_pointer(&data->new, g_ptr_array_unref);
        g_clear_pointer(&data->gone, g_ptr_array_unref);
        g_free(data->snapshot);
        container_job_free(p);
}

/* Of its root disk on that pool, where it may be about to be moved. */
static uint64_t size_on(Manager *m, const Container *c, const char *pool) {
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(m, c, &config, &devices);
        return root_size_of(m, devices, pool);
}

void step_put_copy(GVariantDict *args, Manager *m, StoragePool *from, StoragePool *to,
                   const Container *source, const char *snapshot, const Container *target) {
        g_autofree char *path = pool_get_path(m, from->object.name);

        step_put_pool(args, m, to);
        g_variant_dict_insert(args, "from-pool", "s", from->object.name);
        g_variant_dict_insert(args, "from-driver", "s", from->driver);
        g_variant_dict_insert(args, "from-path", "s", path);
        g_variant_dict_insert(args, "container", "s", source->object.name);
        g_variant_dict_insert(args, "snapshot", "s", snapshot);
        g_variant_dict_insert(args, "name", "s", target->object.name);
        step_put_idmap(args, m, target);
        g_variant_dict_insert(args, "size", "t", size_on(m, target, to->object.name));
}

static GVariant *names_of(const GPtrArray *snapshots) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; snapshots && i < snapshots->len; i++)
                g_variant_builder_add(&builder, "s", snapshot_get_name(snapshots->pdata[i]));
        return g_variant_builder_end(&builder);
}

/* --- steps --- */

static int copy_record(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        return manager_save(job->manager, &data->target->object, ret_error);
}

static int copy_record_undo(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Container *c = TAKE_PTR(data->target);
        int r;

        r = manager_forget(job->manager, OBJECT_CONTAINER, c->object.name, ret_error);
        if (r < 0)
                return r;
        usage_changed(job->manager, &c->object);
        manager_remove(job->manager, &c->object);
        return 0;
}

static int copy_wait(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        StoragePool *pool;
        int r = step_wait_for_pool(job, data->source.container->pool, &pool, ret_error);

        return r != JOB_STEP_DONE ? r
                                  : step_wait_for_pool(job, data->target->pool, &pool, ret_error);
}

/* Here so that its undo comes after that of the next step. */
static int copy_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

static int copy_hold(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        return *data->snapshot ? JOB_STEP_DONE : step_hold(job, ret_error);
}

static int copy_volume_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        CopyJob *data = job->data;
        IdMap *map;
        int r = step_read_idmap(result, &map, ret_error);

        if (r >= 0)
                container_set_shifted(data->target, map);
        return r;
}

static int copy_volume(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Manager *m = job->manager;
        const Container *source = data->source.container, *target = data->target;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        step_put_copy(&args, m, manager_find_pool(m, source->pool),
                      manager_find_pool(m, target->pool), source, data->snapshot, target);
        g_variant_dict_insert(&args, "refresh", "b", data->refresh);
        g_variant_dict_insert_value(&args, "snapshots",
                                    names_of(data->refresh ? data->new : target->snapshots));
        return job_run_worker(job, OPERATION_CONTAINER_COPY, g_variant_dict_end(&args), NULL, 0,
                              copy_volume_done, ret_error);
}

static int run_on(Job *job, const Container *c, const char *snapshot, const char *operation,
                  int (*done)(Job *, GVariant *, int *, size_t, Error *), Error *ret_error) {
        GVariantDict args;
        int r = step_begin_volume(job, c, &args, ret_error);

        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_insert(&args, "snapshot", "s", snapshot);
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, done, ret_error);
}

static int run_on_target(Job *job, const char *operation, Error *ret_error) {
        CopyJob *data = job->data;

        return run_on(job, data->target, "", operation, NULL, ret_error);
}

static int copy_volume_undo(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        /* What is there may not be ours. */
        if (data->committed || job->error.code == ERROR_EXISTS)
                return JOB_STEP_DONE;
        data->target->state = CONTAINER_DELETING;
        manager_changed(job->manager, &data->target->object);
        return run_on_target(job, OPERATION_CONTAINER_DELETE, ret_error);
}

static int copy_commit(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Container *c = data->target;
        int r;

        c->incomplete = false;
        c->state = CONTAINER_STOPPED;
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

static const JobStep copy_steps[] = {
        { NULL, copy_record, copy_record_undo },
        { "Waiting for storage", copy_wait, NULL },
        { NULL, copy_begin, step_released },
        { "Freezing the container", copy_hold, step_release },
        { "Copying the container", copy_volume, copy_volume_undo },
        { "Thawing the container", step_release, NULL },
        { NULL, step_released, NULL },
        { NULL, copy_commit, NULL },
        { NULL },
};

/* --- refreshing --- */

static int refresh_settled(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        CopyJob *data = job->data;

        return snapshots_settled(job, data->target, ret_error);
}

static int refresh_settle(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        return snapshots_settle(job, data->target, refresh_settled, ret_error);
}

static int refresh_mark(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Manager *m = job->manager;
        Container *c = data->target;

        job->cancelable = false;
        if (!data->without_snapshots)
                snapshots_compare(data->source.container->snapshots, c->snapshots, c->object.name,
                                  c->object.owner, data->new, data->gone);
        for (guint i = 0; i < data->new->len; i++) {
                Snapshot *s = data->new->pdata[i];

                g_ptr_array_add(c->snapshots, s);
                manager_add(m, &s->object);
        }
        c->refreshing = true;
        manager_changed(m, &c->object);
        return manager_save(m, &c->object, ret_error);
}

/* What is done about snapshots that are half there after a crash is done now. */
static int refresh_clear(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Job *next = NULL;
        int r;

        job_unlock(job, &data->target->object);
        r = snapshots_recover(job->manager, data->target, &next, ret_error);
        if (r < 0)
                return r;
        job_start(next);
        return JOB_STEP_DONE;
}

static int refresh_mark_undo(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Container *c = data->target;
        int r;

        c->refreshing = false;
        /* What is there may not be ours. */
        for (guint i = 0; job->error.code == ERROR_EXISTS && i < data->new->len; i++)
                manager_remove(job->manager, &((Snapshot *) data->new->pdata[i])->object);
        manager_changed(job->manager, &c->object);
        r = manager_save(job->manager, &c->object, ret_error);
        return r >= 0 && snapshots_are_half(c) ? refresh_clear(job, ret_error) : r;
}

static int refresh_volume_undo(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        return data->committed ? JOB_STEP_DONE
                               : run_on_target(job, OPERATION_SNAPSHOT_RESTORE_UNDO, ret_error);
}

static void refresh_set_done(CopyJob *data, bool done) {
        snapshots_exchange(data->new, data->gone, done);
        data->target->refreshing = !done;
}

static int refresh_commit(Job *job, Error *ret_error) {
        CopyJob *data = job->data;
        Container *c = data->target;
        int r;

        refresh_set_done(data, true);
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                refresh_set_done(data, false);
                return r;
        }
        data->committed = true;
        for (guint i = 0; i < c->snapshots->len; i++)
                manager_changed(job->manager, &((Snapshot *) c->snapshots->pdata[i])->object);
        return JOB_STEP_DONE;
}

static int refresh_tidy(Job *job, Error *ret_error) {
        return run_on_target(job, OPERATION_SNAPSHOT_RESTORE_END, ret_error);
}

static int refresh_end(Job *job, Error *ret_error) {
        CopyJob *data = job->data;

        manager_changed(job->manager, &data->target->object);
        return JOB_STEP_DONE;
}

static const JobStep refresh_steps[] = {
        { "Waiting for storage", copy_wait, NULL },
        { "Settling what was interrupted", refresh_settle, NULL, .again = true },
        { NULL, refresh_mark, refresh_mark_undo },
        { NULL, copy_begin, step_released },
        { "Freezing the container", copy_hold, step_release },
        { "Copying the container", copy_volume, refresh_volume_undo },
        { "Thawing the container", step_release, NULL },
        { NULL, step_released, NULL },
        { NULL, refresh_commit, NULL },
        { "Deleting the old files", refresh_tidy, NULL, .again = true },
        { "Deleting old snapshots", refresh_settle, NULL, .again = true },
        { NULL, refresh_end, NULL },
        { NULL },
};

/* --- of one that was interrupted --- */

static int put_back(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return run_on(job, data->container, "", OPERATION_SNAPSHOT_RESTORE_UNDO, NULL, ret_error);
}

static int put_back_done(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        data->container->refreshing = false;
        return manager_save(job->manager, &data->container->object, ret_error);
}

static const JobStep put_back_steps[] = {
        { "Putting the old files back", put_back, NULL, .again = true },
        { NULL, put_back_done, NULL },
        { NULL, snapshots_step_recover, NULL },
        { NULL },
};

int container_refresh_recover(Manager *m, Container *c, Job **ret, Error *ret_error) {
        return step_new_job(m, "container-recover", CALLER_SERVICE, put_back_steps, c, ret,
                            ret_error);
}

/* --- the call --- */

/* Without what the service kept for the source, but for the image that it came from. */
static GVariant *config_of_copy(GVariant *config, GVariant *set) {
        g_autoptr(GVariant) unset = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "volatile.") && !g_str_equal(key, "volatile.base_image"))
                        g_variant_builder_add(&builder, "s", key);
        unset = g_variant_ref_sink(g_variant_builder_end(&builder));
        return config_merge(config, set, unset);
}

/* What the copy is to be. */
typedef struct Values {
        GVariant *config, *devices;
        const char *const *profiles;
        char *pool;
        PrivilegeChange needed;
} Values;

static void values_done(Values *v) {
        g_clear_pointer(&v->config, g_variant_unref);
        g_clear_pointer(&v->devices, g_variant_unref);
        g_clear_pointer(&v->pool, g_free);
        privilege_change_done(&v->needed);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Values, values_done)

static int values_make(Manager *m, uid_t owner, const ContainerCopy *args, Values *v,
                       Error *ret_error) {
        const Container *c = args->source;
        const Snapshot *s = args->snapshot;
        g_autoptr(GVariant) no_config = config_empty(), no_devices = devices_empty();
        g_autoptr(GVariant) config = NULL, devices = NULL;
        int r;

        r = config_check(args->config ?: no_config, NULL, CONFIG_SCOPE_CONTAINER, ret_error);
        if (r >= 0)
                r = devices_check(args->devices ?: no_devices, ret_error);
        if (r >= 0 && args->pool)
                r = name_check(NAME_POOL, args->pool, ret_error);
        if (r < 0)
                return r;
        v->profiles = args->profiles ?: (const char *const *) (s ? s->profiles : c->profiles);
        v->config = config_of_copy(s ? s->config : c->config, args->config);
        v->devices = devices_merge(s ? s->devices : c->devices, args->devices);
        if (args->pool) {
                GVariant *with_pool = devices_with_pool(m, v->profiles, v->devices, args->pool);

                g_variant_unref(v->devices);
                v->devices = with_pool;
        }
        r = container_check(m, args->refresh ? args->name : NULL, v->profiles, v->config,
                            v->devices, &v->pool, ret_error);
        if (r < 0)
                return r;
        profiles_expand(m, owner, v->profiles, v->config, v->devices, &config, &devices);
        privilege_compare(NULL, NULL, config, devices, &v->needed);
        return 0;
}

/* Found before anybody is asked about what cannot be done. */
static int copy_check(Manager *m, Caller caller, const ContainerCopy *args, Error *ret_error) {
        const Container *c = args->source;
        Container *target;
        int r;

        if (c->incomplete || c->state == CONTAINER_DELETING)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        if (args->snapshot && args->snapshot->state != SNAPSHOT_READY)
                return error_set(ret_error, ERROR_BUSY, "Snapshot \"%s\" is %s",
                                 args->snapshot->object.name,
                                 snapshot_state_to_string(args->snapshot->state));
        if (c->shifted)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Container \"%s\" is stored with the ids of its own range, since "
                                 "its pool's filesystem cannot be mounted idmapped; such ones "
                                 "cannot be copied yet", c->object.name);
        if (!args->refresh)
                return 0;
        r = manager_get(m, OBJECT_CONTAINER, args->name, (Object **) &target, ret_error);
        if (r < 0)
                return r;
        if (target == c)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Container \"%s\" cannot be refreshed from itself",
                                 c->object.name);
        if (caller.uid != 0 && target->object.owner != caller.uid)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "Container \"%s\" is another user's, and only its owner may "
                                 "refresh it", target->object.name);
        if (target->state != CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is %s; only a stopped one can be refreshed",
                                 target->object.name, container_state_to_string(target->state));
        return stateful_check_files(target, ret_error);
}

int container_copy_privilege(Manager *m, Caller caller, const ContainerCopy *args,
                             PrivilegeChange *ret, Error *ret_error) {
        g_auto(Values) v = { 0 };
        int r = copy_check(m, caller, args, ret_error);

        if (r < 0 || args->refresh)
                return r;
        r = values_make(m, caller.uid, args, &v, ret_error);
        if (r < 0)
                return r;
        *ret = v.needed;
        v.needed = (PrivilegeChange) { 0 };
        return 0;
}

/* The source's snapshots, as the copy's own. */
static void add_snapshots(Manager *m, const ContainerCopy *args, Container *c) {
        for (guint i = 0; i < args->source->snapshots->len; i++) {
                const Snapshot *s = args->source->snapshots->pdata[i];
                g_autoptr(GVariant) config = NULL, devices = NULL;
                Snapshot *copy;

                if (s->state != SNAPSHOT_READY)
                        continue;
                copy = snapshot_copy(s, c->object.name, c->object.owner);
                config = copy->config;
                copy->config = config_of_copy(config, NULL);
                devices = copy->devices;
                copy->devices = args->pool
                                        ? devices_with_pool(m, (const char *const *) s->profiles,
                                                            devices, args->pool)
                                        : g_variant_ref(devices);
                g_ptr_array_add(c->snapshots, copy);
        }
}

static int make_target(Manager *m, Caller caller, const ContainerCopy *args, Values *v,
                       Container **ret, Error *ret_error) {
        const Container *source = args->source;
        g_autofree char *name = NULL;
        g_autoptr(Container) c = NULL;
        int r;

        r = container_choose_name(m, args->name, &name, ret_error);
        if (r >= 0)
                r = pool_check_no_files(m, v->pool, "containers", name, ret_error);
        if (r >= 0)
                r = caller_check(caller, &v->needed, name, ret_error);
        if (r < 0)
                return r;
        c = container_new(name, caller.uid);
        c->state = CONTAINER_CREATING;
        c->incomplete = true;
        c->image = g_strdup(source->image);
        c->architecture = g_strdup(source->architecture);
        c->pool = TAKE_PTR(v->pool);
        c->ephemeral = args->ephemeral ? *args->ephemeral
                       : args->snapshot ? args->snapshot->ephemeral : source->ephemeral;
        c->granted = v->needed.privilege;
        c->created = (uint64_t) g_get_real_time();
        g_free(c->description);
        c->description = g_strdup(source->description);
        g_strfreev(c->profiles);
        c->profiles = g_strdupv((char **) v->profiles);
        g_variant_unref(c->config);
        c->config = TAKE_PTR(v->config);
        g_variant_unref(c->devices);
        c->devices = TAKE_PTR(v->devices);
        g_variant_unref(c->templates);
        c->templates = g_variant_ref(source->templates);
        container_set_template_trigger(c, "copy");
        r = container_choose_first_ids(m, c, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static CopyJob *copy_job_new(const ContainerCopy *args, Container *target) {
        CopyJob *data = g_new0(CopyJob, 1);

        data->source.container = args->source;
        data->target = target;
        data->snapshot = g_strdup(args->snapshot ? snapshot_get_name(args->snapshot) : "");
        data->refresh = args->refresh;
        return data;
}

static int new_job(Manager *m, Caller caller, const ContainerCopy *args, const JobStep *steps,
                   Container *target, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, args->refresh ? "container-refresh" : "container-copy", caller.uid, steps,
                    copy_job_new(args, target), copy_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &args->source->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, target->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

static int container_refresh(Manager *m, Caller caller, const ContainerCopy *args, Job **ret,
                             Error *ret_error) {
        Container *target = manager_find_container(m, args->name);
        CopyJob *data;
        int r;

        r = new_job(m, caller, args, refresh_steps, target, ret, ret_error);
        if (r < 0)
                return r;
        r = job_lock(*ret, &target->object, ret_error);
        if (r < 0) {
                *ret = job_free(*ret);
                return r;
        }
        data = (*ret)->data;
        data->new = g_ptr_array_new();
        data->gone = g_ptr_array_new();
        data->without_snapshots = args->without_snapshots;
        return 0;
}

int container_copy(Manager *m, Caller caller, const ContainerCopy *args, Job **ret,
                   Error *ret_error) {
        g_autoptr(Container) c = NULL;
        g_auto(Values) v = { 0 };
        Container *target;
        int r;

        r = copy_check(m, caller, args, ret_error);
        if (r >= 0 && args->refresh)
                return container_refresh(m, caller, args, ret, ret_error);
        if (r >= 0)
                r = values_make(m, caller.uid, args, &v, ret_error);
        if (r >= 0)
                r = make_target(m, caller, args, &v, &c, ret_error);
        if (r >= 0)
                r = new_job(m, caller, args, copy_steps, c, ret, ret_error);
        if (r < 0)
                return r;
        if (!args->without_snapshots && !args->snapshot)
                add_snapshots(m, args, c);
        target = TAKE_PTR(c);
        manager_add(m, &target->object);
        for (guint i = 0; i < target->snapshots->len; i++)
                manager_add(m, &((Snapshot *) target->snapshots->pdata[i])->object);
        r = job_lock(*ret, &target->object, ret_error);
        g_assert(r >= 0); /* nobody else has seen it yet */
        usage_changed(m, &target->object);
        return 0;
}
