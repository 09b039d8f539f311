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

static int mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        if (!data->without_snapshots)
                snapshots_compare(data->source->snapshots, data->volume->snapshots,
                                  storage_volume_get_name(data->volume), data->volume->object.owner,
                                  data->new, data->gone);
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

static void set_done(VolumeJob *data, bool done) {
        snapshots_exchange(data->new, data->gone, done);
        data->volume->refreshing = !done;
}

static int commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        int r;

        set_done(data, true);
        r = save(job, ret_error);
        if (r < 0)
                set_done(data, false);
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
