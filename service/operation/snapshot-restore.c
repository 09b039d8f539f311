/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"
#include "service/operation/container-interruption.h"
#include "service/operation/container-stateful.h"
#include "service/operation/network.h"
#include "service/operation/snapshot.h"
#include "service/operation/usage.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/*
 * The record says which snapshot is being restored, and that the container runs; then a copy of the
 * snapshot takes the place of the volume, which is kept beside it; then the record with the
 * snapshot's configuration is written, and the old volume goes. What is interrupted is done again
 * at the next start: the snapshot is still there, and a copy of it is as good as another. Where its
 * processes are to be made of the snapshot's state that is so until they run, for what ran a moment
 * may have changed the files.
 */

typedef struct RestoreJob {
        ContainerJob container;
        char *snapshot;    /* last part of its name */
        Privilege granted; /* class of what the caller was granted */
        bool was_running;
        bool starts;       /* it runs afterwards */
        bool committed;    /* nothing is undone any more */
        bool last_try;     /* that of another job, a worker of which has died */
} RestoreJob;

static void restore_job_free(void *p) {
        RestoreJob *data = p;

        g_free(data->snapshot);
        container_job_free(p);
}

static int restore_mark(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;
        Container *c = data->container.container;

        job->cancelable = false;
        data->was_running = container_is_up(c) || c->interrupted;
        data->starts |= data->was_running;
        c->interrupted = data->was_running;
        g_free(c->restore_from);
        c->restore_from = g_strdup(data->snapshot);
        c->restore_stateful = data->container.state_of != NULL;
        return manager_save(job->manager, &c->object, ret_error);
}

/* What it was has been ended, and what it is to be can be had: nothing but a worker was missing. */
static int restore_again(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;
        Container *c = data->container.container;
        Job *next;
        int r;

        job_unlock(job, &c->object);
        r = snapshot_restore(job->manager, CALLER_SERVICE, c, data->snapshot, true, &next,
                             ret_error);
        if (r < 0)
                return r;
        log_notice("Job %s (%s) tries once more, as job %s.", job->object.name, job->operation,
                   next->object.name);
        ((RestoreJob *) next->data)->last_try = true;
        job_start(next);
        return 0;
}

static int restore_mark_undo(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;
        Container *c = data->container.container;
        bool stateful = data->container.state_of;
        int r = 0;

        if (stateful && job->one_died && !data->last_try && !container_is_up(c))
                return restore_again(job, ret_error);
        if (c->restore_from) {
                g_clear_pointer(&c->restore_from, g_free);
                c->restore_stateful = false;
                r = manager_save(job->manager, &c->object, ret_error);
        }
        if (r < 0)
                return r;
        /* Its processes were wanted, not others on the same files. */
        return stateful && data->committed
                       ? container_stay(job->manager, c, ret_error)
                       : container_resume(job->manager, c, job, ret_error);
}

static int restore_stopped(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        if (data->was_running)
                manager_lifecycle(job->manager, data->container.container, "stopped", NULL);
        return JOB_STEP_DONE;
}

/* What the container may hold once it is as it was then. */
static uint64_t restored_size(Manager *m, const Container *c, const char *name) {
        const Snapshot *s = snapshots_find(c->snapshots, name);
        g_autoptr(GVariant) config = NULL, devices = NULL;

        if (!s)
                return container_get_size(m, c);
        profiles_expand(m, c->object.owner, (const char *const *) s->profiles, s->config,
                        s->devices, &config, &devices);
        return root_size_of(m, devices, c->pool);
}

static int run_worker(Job *job, const char *operation, Error *ret_error) {
        RestoreJob *data = job->data;
        const Container *c = data->container.container;
        GVariantDict args;
        int r;

        r = step_begin_volume(job, c, &args, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_insert(&args, "snapshot", "s", data->snapshot);
        g_variant_dict_insert(&args, "size", "t", restored_size(job->manager, c, data->snapshot));
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, NULL, ret_error);
}

static int restore_volume(Job *job, Error *ret_error) {
        return run_worker(job, OPERATION_SNAPSHOT_RESTORE, ret_error);
}

static int restore_volume_undo(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        if (data->committed)
                return JOB_STEP_DONE;
        return run_worker(job, OPERATION_SNAPSHOT_RESTORE_UNDO, ret_error);
}

/* The snapshot's configuration, with what the service keeps of this container and not of its past:
 * interfaces keep their addresses. */
static GVariant *restored_config(const Container *c, const Snapshot *s) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;
        g_autoptr(GVariant) set = NULL;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "volatile."))
                        g_variant_builder_add(&builder, "{ss}", key, value);
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        return config_merge(s->config, set, NULL);
}

typedef struct OldValues {
        GVariant *config, *devices;
        char **profiles;
        bool ephemeral;
        Privilege granted;
} OldValues;

static void swap_values(Container *c, OldValues *values) {
        OldValues old = { c->config, c->devices, c->profiles, c->ephemeral, c->granted };

        c->config = values->config;
        c->devices = values->devices;
        c->profiles = values->profiles;
        c->ephemeral = values->ephemeral;
        c->granted = values->granted;
        *values = old;
}

static void old_values_clear(OldValues *values) {
        g_clear_pointer(&values->config, g_variant_unref);
        g_clear_pointer(&values->devices, g_variant_unref);
        g_clear_pointer(&values->profiles, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OldValues, old_values_clear)

static int restore_commit(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;
        Container *c = data->container.container;
        const Snapshot *s = snapshots_find(c->snapshots, data->snapshot);
        g_autoptr(UsageNote) used = usage_note(job->manager, &c->object);
        g_auto(OldValues) values = {
                .config = restored_config(c, s),
                .devices = g_variant_ref(s->devices),
                .profiles = g_strdupv(s->profiles),
                .ephemeral = s->ephemeral,
                .granted = MAX(c->granted, data->granted),
        };
        bool stateful = c->stateful;
        GVariantDict details;
        int r;

        swap_values(c, &values);
        if (!c->restore_stateful)
                g_clear_pointer(&c->restore_from, g_free);
        c->object.revision++;
        /* A saved state was of other files. */
        c->stateful = false;
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                swap_values(c, &values);
                c->stateful = stateful;
                if (!c->restore_from)
                        c->restore_from = g_strdup(data->snapshot);
                c->object.revision--;
                return r;
        }
        data->committed = true;
        manager_changed(job->manager, &c->object);
        usage_note_tell(used);
        network_settle_hosts(job->manager);
        g_variant_dict_init(&details, NULL);
        g_variant_dict_insert(&details, "snapshot", "s", data->snapshot);
        manager_lifecycle(job->manager, c, "restored", g_variant_dict_end(&details));
        return JOB_STEP_DONE;
}

/* The old volume goes. */
static int restore_tidy(Job *job, Error *ret_error) {
        return run_worker(job, OPERATION_SNAPSHOT_RESTORE_END, ret_error);
}

static int start_wait(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_wait(job, ret_error) : JOB_STEP_DONE;
}

static int start_prepare(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_prepare(job, ret_error) : JOB_STEP_DONE;
}

static int start_prepare_undo(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_prepare_undo(job, ret_error) : JOB_STEP_DONE;
}

static int start_guard(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_guard(job, ret_error) : JOB_STEP_DONE;
}

static int start_run(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_run(job, ret_error) : JOB_STEP_DONE;
}

static int start_run_undo(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;

        return data->starts ? step_start_run_undo(job, ret_error) : JOB_STEP_DONE;
}

static int start_commit(Job *job, Error *ret_error) {
        RestoreJob *data = job->data;
        Container *c = data->container.container;

        g_clear_pointer(&c->restore_from, g_free);
        c->restore_stateful = false;
        return data->starts ? step_start_commit(job, ret_error) : JOB_STEP_DONE;
}

static const JobStep restore_steps[] = {
        { NULL, restore_mark, restore_mark_undo },
        { NULL, step_stop_thaw, NULL },
        { "Stopping the container", step_kill, NULL },
        { NULL, restore_stopped, NULL },
        { "Restoring the files", restore_volume, restore_volume_undo },
        { NULL, restore_commit, NULL },
        { "Deleting the old files", restore_tidy, NULL, .again = true },
        { "Waiting for the network", start_wait, NULL },
        { NULL, start_prepare, start_prepare_undo },
        { "Setting the firewall", start_guard, NULL },
        { "Starting the container", start_run, start_run_undo },
        { NULL, start_commit, NULL },
        { NULL },
};

/* What it would become must be what it may become now: profiles, networks and pools may have gone
 * since. */
static int restore_check(Manager *m, const Container *c, const Snapshot *s, Error *ret_error) {
        g_autofree char *pool = NULL;
        int r;

        if (s->state != SNAPSHOT_READY)
                return error_set(ret_error, ERROR_BUSY, "Snapshot \"%s\" is %s", s->object.name,
                                 snapshot_state_to_string(s->state));
        if (c->incomplete || c->state == CONTAINER_DELETING)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        r = container_check(m, c->object.name, (const char *const *) s->profiles, s->config,
                            s->devices, &pool, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "Snapshot \"%s\" cannot be restored", s->object.name);
                return r;
        }
        if (!g_str_equal(pool, c->pool))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Snapshot \"%s\" cannot be restored: its root disk is on pool "
                                 "\"%s\", and container \"%s\" is on \"%s\"", s->object.name, pool,
                                 c->object.name, c->pool);
        return 0;
}

int snapshot_restore_privilege(Manager *m, const Container *c, const Snapshot *s,
                               PrivilegeChange *ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL, new_config = NULL, new_devices = NULL;
        int r = restore_check(m, c, s, ret_error);

        if (r < 0)
                return r;
        container_expand(m, c, &config, &devices);
        profiles_expand(m, c->object.owner, (const char *const *) s->profiles, s->config,
                        s->devices, &new_config, &new_devices);
        privilege_compare(config, devices, new_config, new_devices, ret);
        return 0;
}

/* One that was begun. What has been forbidden since is not done, but its files become whole. */
static bool may_be_stateful(Manager *m, const Container *c, const Snapshot *s) {
        g_auto(Error) error = ERROR_INIT;

        return stateful_check_snapshot(m, c, s, &error) >= 0;
}

static int check_stateful(Manager *m, Caller caller, const Container *c, const Snapshot *s,
                          Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r = stateful_check_snapshot(m, c, s, ret_error);

        if (r < 0)
                return r;
        stateful_privilege(&needed);
        return caller_check(caller, &needed, c->object.name, ret_error);
}

int snapshot_restore(Manager *m, Caller caller, Container *c, const char *name, bool stateful,
                     Job **ret, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(Job) job = NULL;
        RestoreJob *data;
        Snapshot *s;
        int r;

        r = snapshot_get(m, c, name, &s, ret_error);
        /* One that was begun is finished, whatever has gone since. */
        if (r >= 0 && !c->restore_from)
                r = snapshot_restore_privilege(m, c, s, &needed, ret_error);
        if (r >= 0 && !c->restore_from)
                r = caller_check(caller, &needed, c->object.name, ret_error);
        if (r >= 0 && stateful && caller.sender)
                r = check_stateful(m, caller, c, s, ret_error);
        else if (r >= 0 && stateful)
                stateful = may_be_stateful(m, c, s);
        if (r < 0)
                return r;
        data = g_new0(RestoreJob, 1);
        data->container.container = c;
        data->container.force = true;
        data->snapshot = g_strdup(name);
        data->granted = needed.privilege;
        data->starts = stateful;
        data->container.state_of = stateful ? g_strdup(name) : NULL;
        r = job_new(m, "snapshot-restore", caller.uid, restore_steps, data, restore_job_free, &job,
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
