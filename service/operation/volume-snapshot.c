/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/snapshot-calendar.h"
#include "service/model/snapshot-pattern.h"
#include "service/operation/volume-device.h"
#include "service/operation/volume-job.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/*
 * Snapshots of volumes. Each is in its volume's list, and so in its record, from before its files
 * are made until after they have gone; a crash leaves a state there that says what to do.
 */

static int run_worker(Job *job, const char *operation, const char *snapshot, const char *name,
                      Error *ret_error) {
        VolumeJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "snapshot", "s", snapshot);
        g_variant_dict_insert(&args, "size", "t", storage_volume_get_size(data->volume));
        if (name)
                g_variant_dict_insert(&args, "name", "s", name);
        return volume_run_worker(job, operation, g_variant_dict_end(&args), ret_error);
}

static int save(Manager *m, StorageVolume *v, Error *ret_error) {
        manager_changed(m, &v->object);
        return manager_save(m, &v->object, ret_error);
}

/* --- settling: as with those of containers, see snapshot.c --- */

static int forget(Job *job, Snapshot *s, Error *ret_error) {
        VolumeJob *data = job->data;
        GPtrArray *snapshots = data->volume->snapshots;
        guint index;
        bool found = g_ptr_array_find(snapshots, s, &index);
        int r;

        g_assert(found);
        (void) g_ptr_array_steal_index(snapshots, index);
        r = save(job->manager, data->volume, ret_error);
        if (r < 0)
                g_ptr_array_insert(snapshots, (int) index, s);
        else
                (void) snapshot_free(s);
        return r;
}

static int name_snapshot(Job *job, Snapshot *s, Error *ret_error) {
        VolumeJob *data = job->data;
        const char *volume = storage_volume_get_name(data->volume);
        g_autofree char *old = g_strdup(snapshot_get_name(s));
        g_autofree char *name = g_strdup(snapshot_get_name_to_be(s));
        g_autofree char *rename_to = TAKE_PTR(s->rename_to);
        SnapshotState state = s->state;
        int r;

        s->state = SNAPSHOT_READY;
        snapshot_set_name(s, volume, name);
        r = save(job->manager, data->volume, ret_error);
        if (r < 0) {
                snapshot_set_name(s, volume, old);
                s->rename_to = TAKE_PTR(rename_to);
                s->state = state;
        }
        return r;
}

static int one_settled(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        VolumeJob *data = job->data;
        Snapshot *s = snapshots_find_half(data->volume->snapshots);
        int r = snapshot_is_to_go(s) ? forget(job, s, ret_error) : name_snapshot(job, s, ret_error);

        if (r >= 0)
                job_repeat_step(job); /* for the next one */
        return r;
}

int volume_step_settle(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        const Snapshot *s = snapshots_find_half(data->volume->snapshots);
        g_autofree char *name = storage_volume_get_pool(data->volume);
        StoragePool *pool;
        GVariantDict args;
        int r;

        if (!s)
                return JOB_STEP_DONE;
        job->cancelable = false;
        r = step_wait_for_pool(job, name, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "volume", "s", storage_volume_get_name(data->volume));
        g_variant_dict_insert(&args, "snapshot", "s", snapshot_get_name(s));
        if (!snapshot_is_to_go(s))
                g_variant_dict_insert(&args, "name", "s", snapshot_get_name_to_be(s));
        return job_run_worker(job,
                              snapshot_is_to_go(s) ? OPERATION_VOLUME_SNAPSHOT_DELETE
                                                   : OPERATION_VOLUME_SNAPSHOT_RENAME,
                              g_variant_dict_end(&args), NULL, 0, one_settled, ret_error);
}

/* --- deleting --- */

static int delete_mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        TAKE_PTR(data->snapshot)->state = SNAPSHOT_DELETING;
        return save(job->manager, data->volume, ret_error);
}

static const JobStep delete_steps[] = {
        { NULL, volume_step_wait_to_delete, NULL },
        { NULL, delete_mark, NULL },
        { "Deleting the snapshot", volume_step_settle, NULL, .again = true },
        { NULL },
};

/* --- creating --- */

static int create_record(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        GPtrArray *snapshots = data->volume->snapshots;
        int r;

        g_ptr_array_add(snapshots, data->made);
        r = save(job->manager, data->volume, ret_error);
        if (r < 0)
                (void) g_ptr_array_steal_index(snapshots, snapshots->len - 1);
        else
                data->snapshot = TAKE_PTR(data->made);
        return r;
}

static int create_record_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        Snapshot *s = data->committed ? NULL : TAKE_PTR(data->snapshot);

        return s ? forget(job, s, ret_error) : JOB_STEP_DONE;
}

static int create_files(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_CREATE,
                          snapshot_get_name(data->snapshot), NULL, ret_error);
}

static int create_files_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return data->committed ? JOB_STEP_DONE
                               : run_worker(job, OPERATION_VOLUME_SNAPSHOT_DELETE,
                                            snapshot_get_name(data->snapshot), NULL, ret_error);
}

static int create_commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        Snapshot *s = data->snapshot;
        Snapshot *old = snapshots_find_replaced(data->volume->snapshots, s);
        int r;

        snapshot_set_made(s);
        if (old)
                old->state = SNAPSHOT_DELETING;
        r = save(job->manager, data->volume, ret_error);
        if (r < 0) {
                s->state = SNAPSHOT_CREATING;
                if (old)
                        old->state = SNAPSHOT_READY;
                return r;
        }
        data->committed = true;
        return JOB_STEP_DONE;
}

static const JobStep create_steps[] = {
        { "Settling what was interrupted", volume_step_settle, NULL, .again = true },
        { NULL, create_record, create_record_undo },
        { "Taking the snapshot", create_files, create_files_undo },
        { NULL, create_commit, NULL },
        { "Deleting the old snapshot", volume_step_settle, NULL, .again = true },
        { NULL },
};

/* --- renaming --- */

static int rename_mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        g_free(data->snapshot->rename_to);
        data->snapshot->rename_to = g_strdup(data->name);
        return save(job->manager, data->volume, ret_error);
}

static int rename_mark_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        g_clear_pointer(&data->snapshot->rename_to, g_free);
        return save(job->manager, data->volume, ret_error);
}

static int rename_files(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_RENAME,
                          snapshot_get_name(data->snapshot), data->name, ret_error);
}

static int rename_files_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_RENAME, data->name,
                          snapshot_get_name(data->snapshot), ret_error);
}

static int rename_commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return name_snapshot(job, data->snapshot, ret_error);
}

static const JobStep rename_steps[] = {
        { NULL, rename_mark, rename_mark_undo },
        { "Renaming the snapshot", rename_files, rename_files_undo },
        { NULL, rename_commit, NULL },
        { NULL },
};

/* --- restoring: as that of a container, see snapshot-restore.c --- */

static int restore_mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        g_free(data->volume->restore_from);
        data->volume->restore_from = g_strdup(data->from_snapshot);
        return save(job->manager, data->volume, ret_error);
}

static int restore_mark_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        if (data->committed)
                return JOB_STEP_DONE;
        g_clear_pointer(&data->volume->restore_from, g_free);
        return save(job->manager, data->volume, ret_error);
}

static int restore_files(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_RESTORE, data->from_snapshot, NULL,
                          ret_error);
}

static int restore_files_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        if (data->committed)
                return JOB_STEP_DONE;
        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_RESTORE_UNDO, data->from_snapshot, NULL,
                          ret_error);
}

static int restore_commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        int r;

        g_clear_pointer(&data->volume->restore_from, g_free);
        r = save(job->manager, data->volume, ret_error);
        if (r < 0)
                data->volume->restore_from = g_strdup(data->from_snapshot);
        else
                data->committed = true;
        return r;
}

/* The old files go. */
static int restore_tidy(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return run_worker(job, OPERATION_VOLUME_SNAPSHOT_RESTORE_END, data->from_snapshot, NULL,
                          ret_error);
}

static const JobStep restore_steps[] = {
        { NULL, restore_mark, restore_mark_undo },
        { "Restoring the files", restore_files, restore_files_undo },
        { NULL, restore_commit, NULL },
        { "Deleting the old files", restore_tidy, NULL, .again = true },
        { NULL },
};

/* --- the calls --- */

static int get_snapshot(const StorageVolume *v, const char *name, Snapshot **ret,
                        Error *ret_error) {
        g_autofree char *shown = NULL;
        Snapshot *s = snapshots_find(v->snapshots, name);

        if (!s || snapshot_is_stand_in(s)) {
                shown = g_strescape(name, NULL);
                return error_set(ret_error, ERROR_NO_SUCH_SNAPSHOT,
                                 "Volume \"%s\" has no snapshot \"%.80s\"", v->object.name, shown);
        }
        *ret = s;
        return 0;
}

static int choose_name(const StorageVolume *v, const SnapshotCreate *args, uint64_t now,
                       char **ret, Error *ret_error) {
        const char *pattern = config_get(v->config, "snapshots.pattern");
        int r;

        if (!*args->name)
                return snapshot_pattern_apply(pattern && *pattern ? pattern
                                                                  : SNAPSHOT_PATTERN_DEFAULT,
                                              v->snapshots, now, ret, ret_error);
        r = name_check(NAME_SNAPSHOT, args->name, ret_error);
        if (r >= 0 && !args->reuse && snapshots_claim(v->snapshots, args->name))
                r = error_set(ret_error, ERROR_EXISTS,
                              "Volume \"%s\" has a snapshot \"%s\" already", v->object.name,
                              args->name);
        if (r >= 0)
                *ret = g_strdup(args->name);
        return r;
}

int volume_snapshot_create(Manager *m, Caller caller, StorageVolume *v, const SnapshotCreate *args,
                           Job **ret, Error *ret_error) {
        uint64_t now = (uint64_t) g_get_real_time(), expires = 0;
        g_autoptr(Snapshot) s = NULL;
        g_autofree char *wanted = NULL, *name = NULL;
        int r;

        r = volume_check_ready(v, ret_error);
        if (r >= 0)
                r = choose_name(v, args, now, &wanted, ret_error);
        if (r >= 0 && args->expires)
                expires = *args->expires;
        else if (r >= 0)
                r = snapshot_expiry_apply(config_get(v->config, "snapshots.expiry") ?: "", now,
                                          &expires, ret_error);
        if (r < 0)
                return r;
        if (v->snapshots->len >= SNAPSHOTS_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "Volume \"%s\" has %u snapshots already", v->object.name,
                                 v->snapshots->len);
        name = snapshots_name_new(v->snapshots, wanted);
        s = snapshot_new(storage_volume_get_name(v), name, v->object.owner);
        s->created = now;
        s->expires = expires;
        g_free(s->description);
        s->description = g_strdup(args->description ?: "");
        r = volume_job_new(m, "volume-snapshot-create", caller, create_steps, v, ret, ret_error);
        if (r < 0)
                return r;
        ((VolumeJob *) (*ret)->data)->made = TAKE_PTR(s);
        return 0;
}

const char *volume_snapshot_of_job(const Job *job) {
        return snapshot_get_name_to_be(((const VolumeJob *) job->data)->made);
}

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   StorageVolume *v, Snapshot *s, Job **ret, Error *ret_error) {
        int r = volume_job_new(m, operation, caller, steps, v, ret, ret_error);

        if (r >= 0)
                ((VolumeJob *) (*ret)->data)->snapshot = s;
        return r;
}

int volume_snapshot_delete(Manager *m, Caller caller, StorageVolume *v, const char *name,
                           Job **ret, Error *ret_error) {
        Snapshot *s = NULL;
        int r = get_snapshot(v, name, &s, ret_error);

        return r < 0 ? r : new_job(m, "volume-snapshot-delete", caller, delete_steps, v, s, ret,
                                   ret_error);
}

int volume_snapshot_rename(Manager *m, Caller caller, StorageVolume *v, const char *name,
                           const char *new_name, Job **ret, Error *ret_error) {
        Snapshot *s = NULL;
        int r;

        r = name_check(NAME_SNAPSHOT, new_name, ret_error);
        if (r >= 0)
                r = get_snapshot(v, name, &s, ret_error);
        if (r < 0)
                return r;
        /* One that was begun is finished. */
        if (g_strcmp0(s->rename_to, new_name) != 0 && snapshots_claim(v->snapshots, new_name))
                return error_set(ret_error, ERROR_EXISTS,
                                 "Volume \"%s\" has a snapshot \"%s\" already", v->object.name,
                                 new_name);
        r = new_job(m, "volume-snapshot-rename", caller, rename_steps, v, s, ret, ret_error);
        if (r >= 0)
                ((VolumeJob *) (*ret)->data)->name = g_strdup(new_name);
        return r;
}

int volume_snapshot_restore(Manager *m, Caller caller, StorageVolume *v, const char *name,
                            Job **ret, Error *ret_error) {
        const Container *user = volume_find_running_user(m, v);
        Snapshot *s = NULL;
        int r;

        r = get_snapshot(v, name, &s, ret_error);
        if (r >= 0)
                r = volume_check_ready(v, ret_error);
        if (r < 0)
                return r;
        if (user && !v->restore_from)
                return error_set(ret_error, ERROR_IN_USE,
                                 "The volume \"%s\" is used by the container \"%s\", which runs; "
                                 "stop it first", v->object.name, user->object.name);
        if (s->state != SNAPSHOT_READY)
                return error_set(ret_error, ERROR_BUSY, "Snapshot \"%s\" is %s", s->object.name,
                                 snapshot_state_to_string(s->state));
        r = volume_job_new(m, "volume-restore", caller, restore_steps, v, ret, ret_error);
        if (r >= 0)
                ((VolumeJob *) (*ret)->data)->from_snapshot = g_strdup(name);
        return r;
}

int volume_snapshot_update(Manager *m, StorageVolume *v, const char *name, const char *description,
                           const uint64_t *expires, Error *ret_error) {
        Job *holder = manager_get_lock(m, &v->object);
        g_autofree char *old_description = NULL;
        uint64_t old_expires;
        Snapshot *s = NULL;
        int r;

        if (holder)
                return error_set(ret_error, ERROR_BUSY, "Job %s (%s) works on the volume \"%s\"",
                                 holder->object.name, holder->operation, v->object.name);
        r = get_snapshot(v, name, &s, ret_error);
        if (r < 0)
                return r;
        old_description = s->description;
        old_expires = s->expires;
        s->description = g_strdup(description ?: old_description);
        s->expires = expires ? *expires : old_expires;
        r = save(m, v, ret_error);
        if (r < 0) {
                g_free(s->description);
                s->description = TAKE_PTR(old_description);
                s->expires = old_expires;
        }
        return r;
}

/* --- recovery --- */

static const JobStep recover_steps[] = {
        { "Settling what was interrupted", volume_step_settle, NULL, .again = true },
        { NULL },
};

bool volume_is_half(const StorageVolume *v) {
        return v->state != STORAGE_VOLUME_READY || v->rename_to || v->refreshing ||
               v->restore_from || v->resizing || snapshots_find_half(v->snapshots);
}

/* The container that is being started may have it when it is found that it must not: so what
 * was begun is finished whoever uses it. */
int volume_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error) {
        if (v->state != STORAGE_VOLUME_READY)
                return volume_delete(m, CALLER_SERVICE, v, ret, ret_error);
        if (v->rename_to)
                return volume_rename(m, CALLER_SERVICE, v, v->rename_to, ret, ret_error);
        if (v->refreshing)
                return volume_refresh_recover(m, v, ret, ret_error);
        if (v->restore_from)
                return volume_snapshot_restore(m, CALLER_SERVICE, v, v->restore_from, ret,
                                               ret_error);
        if (v->resizing)
                return volume_resize_recover(m, v, ret, ret_error);
        return volume_job_new(m, "volume-recover", CALLER_SERVICE, recover_steps, v, ret,
                              ret_error);
}
