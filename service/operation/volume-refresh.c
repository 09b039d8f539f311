/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume-device.h"
#include "service/operation/volume-job.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/*
 * Bringing a copy up to date: its record stays as it is but for the snapshots. Those to come are
 * marked in the record, as stand-ins where there is one of that name already; their files are
 * copied, and after them the volume's own exchanged. Then it is recorded as done, and what is no
 * more wanted goes: old files, old snapshots. Interrupted before that, the old files take their
 * place again and the new snapshots go, at the next start too.
 */

static int save(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        manager_changed(job->manager, &data->volume->object);
        return manager_save(job->manager, &data->volume->object, ret_error);
}

/* Snapshots of the same name and time are the same. */
static bool has_same(const GPtrArray *snapshots, const Snapshot *s) {
        const Snapshot *other = snapshots_find(snapshots, snapshot_get_name(s));

        return other && other->state == SNAPSHOT_READY && other->created == s->created;
}

static Snapshot *copy_of(const Snapshot *s, const StorageVolume *v) {
        Snapshot *copy = snapshot_copy(s, storage_volume_get_name(v), v->object.owner);
        g_autofree char *name = snapshots_name_new(v->snapshots, snapshot_get_name(s));

        copy->state = SNAPSHOT_CREATING;
        snapshot_set_name(copy, storage_volume_get_name(v), name);
        return copy;
}

static void collect(VolumeJob *data) {
        const GPtrArray *theirs = data->source->snapshots, *ours = data->volume->snapshots;

        for (guint i = 0; i < ours->len; i++)
                if (!has_same(theirs, ours->pdata[i]))
                        g_ptr_array_add(data->gone, ours->pdata[i]);
        for (guint i = 0; i < theirs->len; i++) {
                const Snapshot *s = theirs->pdata[i];

                if (s->state == SNAPSHOT_READY && !has_same(ours, s))
                        g_ptr_array_add(data->new, copy_of(s, data->volume));
        }
}

static int mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        if (!data->without_snapshots)
                collect(data);
        for (guint i = 0; i < data->new->len; i++)
                g_ptr_array_add(data->volume->snapshots, data->new->pdata[i]);
        data->marked = true;
        data->volume->refreshing = true;
        return save(job, ret_error);
}

static int put_back_done(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        if (!data->volume->refreshing)
                return JOB_STEP_DONE;
        data->volume->refreshing = false;
        return save(job, ret_error);
}

static int mark_undo(Job *job, Error *ret_error) {
        int r = put_back_done(job, ret_error);

        return r < 0 ? r : volume_step_settle(job, ret_error);
}

static int run(Job *job, const char *operation, Error *ret_error) {
        VolumeJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "snapshot", "s", "");
        g_variant_dict_insert(&args, "size", "t", storage_volume_get_size(data->volume));
        return volume_run_worker(job, operation, g_variant_dict_end(&args), ret_error);
}

static int put_back(Job *job, Error *ret_error) {
        return run(job, OPERATION_VOLUME_SNAPSHOT_RESTORE_UNDO, ret_error);
}

static int copy_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return data->committed ? JOB_STEP_DONE : put_back(job, ret_error);
}

static void set_states(VolumeJob *data, bool done) {
        for (guint i = 0; i < data->new->len; i++) {
                Snapshot *s = data->new->pdata[i];

                if (done)
                        snapshot_set_made(s);
                else
                        s->state = SNAPSHOT_CREATING;
        }
        for (guint i = 0; i < data->gone->len; i++)
                ((Snapshot *) data->gone->pdata[i])->state = done ? SNAPSHOT_DELETING
                                                                  : SNAPSHOT_READY;
        data->volume->refreshing = !done;
}

static int commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        int r;

        set_states(data, true);
        r = save(job, ret_error);
        if (r < 0)
                set_states(data, false);
        else
                data->committed = true;
        return r;
}

static int tidy(Job *job, Error *ret_error) {
        return run(job, OPERATION_VOLUME_SNAPSHOT_RESTORE_END, ret_error);
}

static const JobStep steps[] = {
        { "Settling what was interrupted", volume_step_settle, NULL, .again = true },
        { NULL, mark, mark_undo },
        { "Copying the volume", volume_step_copy, copy_undo },
        { NULL, commit, NULL },
        { "Deleting the old files", tidy, NULL, .again = true },
        { "Deleting old snapshots", volume_step_settle, NULL, .again = true },
        { NULL },
};

static const JobStep put_back_steps[] = {
        { "Putting the old files back", put_back, NULL, .again = true },
        { NULL, put_back_done, NULL },
        { "Deleting snapshots", volume_step_settle, NULL, .again = true },
        { NULL },
};

int volume_refresh_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error) {
        return volume_job_new(m, VOLUME_REFRESH, CALLER_SERVICE, put_back_steps, v, ret,
                              ret_error);
}

static int check(Manager *m, Caller caller, const VolumeCopy *args, StorageVolume **ret,
                 Error *ret_error) {
        g_autofree char *full = g_strconcat(args->pool->object.name, "/", args->name, NULL);
        const Container *user;
        StorageVolume *v;
        int r;

        r = manager_get(m, OBJECT_VOLUME, full, (Object **) &v, ret_error);
        if (r >= 0)
                r = volume_check_ready(v, ret_error);
        if (r < 0)
                return r;
        if (v == args->source)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Volume \"%s\" cannot be refreshed from itself", v->object.name);
        if (caller.uid != 0 && v->object.owner != caller.uid)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "Volume \"%s\" is another user's, and only its owner may refresh "
                                 "it", v->object.name);
        user = volume_find_running_user(m, v);
        if (user)
                return error_set(ret_error, ERROR_IN_USE,
                                 "The volume \"%s\" is used by the container \"%s\", which runs; "
                                 "stop it first", v->object.name, user->object.name);
        *ret = v;
        return 0;
}

int volume_refresh(Manager *m, Caller caller, const VolumeCopy *args, Job **ret,
                   Error *ret_error) {
        g_autoptr(Job) job = NULL;
        StorageVolume *v = NULL;
        VolumeJob *data;
        int r;

        r = check(m, caller, args, &v, ret_error);
        if (r >= 0)
                r = volume_job_new(m, VOLUME_REFRESH, caller, steps, v, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &args->source->object, ret_error);
        if (r < 0)
                return r;
        data = job->data;
        data->source = args->source;
        data->from_snapshot = g_strdup(args->snapshot);
        data->refresh = true;
        data->without_snapshots = args->without_snapshots || *args->snapshot;
        data->new = g_ptr_array_new();
        data->gone = g_ptr_array_new();
        *ret = TAKE_PTR(job);
        return 0;
}
