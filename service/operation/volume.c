/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume.h"

#include <errno.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/pool.h"
#include "service/operation/usage.h"
#include "service/operation/volume-device.h"
#include "service/operation/volume-job.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* --- what they share --- */

static void volume_job_free(void *p) {
        VolumeJob *data = p;

        (void) snapshot_free(data->made);
        g_free(data->from_snapshot);
        g_free(data->name);
        g_clear_pointer(&data->config, g_variant_unref);
        g_free(data->description);
        for (guint i = 0; data->new && !data->marked && i < data->new->len; i++)
                (void) snapshot_free(data->new->pdata[i]);
        g_clear_pointer(&data->new, g_ptr_array_unref);
        g_clear_pointer(&data->gone, g_ptr_array_unref);
        g_free(data);
}

int volume_job_new(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   StorageVolume *v, Job **ret, Error *ret_error) {
        VolumeJob *data = g_new0(VolumeJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->volume = v;
        r = job_new(m, operation, caller.uid, steps, data, volume_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &v->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_VOLUME, v->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

int volume_check_ready(const StorageVolume *v, Error *ret_error) {
        if (v->state == STORAGE_VOLUME_READY)
                return 0;
        return error_set(ret_error, ERROR_BUSY, "Volume \"%s\" is %s", v->object.name,
                         storage_volume_state_to_string(v->state));
}

int volume_run_worker(Job *job, const char *operation, GVariant *more, Error *ret_error) {
        VolumeJob *data = job->data;
        g_autofree char *name = storage_volume_get_pool(data->volume);
        g_autoptr(GVariant) given = more ? g_variant_ref_sink(more) : NULL;
        StoragePool *pool;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, name, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, given);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "volume", "s", storage_volume_get_name(data->volume));
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, NULL, ret_error);
}

/* --- deleting --- */

int volume_step_wait_to_delete(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        g_autofree char *name = storage_volume_get_pool(data->volume);

        return step_wait_to_delete(job, name, ret_error);
}

static int delete_mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        data->volume->state = STORAGE_VOLUME_DELETING;
        manager_changed(job->manager, &data->volume->object);
        return manager_save(job->manager, &data->volume->object, ret_error);
}

static int delete_files(Job *job, Error *ret_error) {
        return volume_run_worker(job, OPERATION_VOLUME_DELETE, NULL, ret_error);
}

int volume_step_forget(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        Manager *m = job->manager;
        int r;

        if (!data->volume)
                return JOB_STEP_DONE;
        r = manager_forget(m, OBJECT_VOLUME, data->volume->object.name, ret_error);
        if (r < 0)
                return r;
        usage_changed(m, &data->volume->object);
        manager_remove(m, &TAKE_PTR(data->volume)->object);
        return JOB_STEP_DONE;
}

static const JobStep delete_steps[] = {
        { NULL, volume_step_wait_to_delete, NULL },
        { NULL, delete_mark, NULL },
        { "Deleting the volume", delete_files, NULL, .again = true },
        { NULL, volume_step_forget, NULL },
        { NULL },
};

int volume_delete(Manager *m, Caller caller, StorageVolume *v, Job **ret, Error *ret_error) {
        int r = usage_check_none(m, &v->object, ret_error);

        return r < 0 ? r : volume_job_new(m, "volume-delete", caller, delete_steps, v, ret,
                                          ret_error);
}

/* --- creating --- */

static int create_record(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return manager_save(job->manager, &data->volume->object, ret_error);
}

static int create_files(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "size", "t", storage_volume_get_size(data->volume));
        return volume_run_worker(job, OPERATION_VOLUME_CREATE, g_variant_dict_end(&args),
                                 ret_error);
}

/* The record goes last: as long as there is one, what is left of the files is found. */
int volume_step_unmake(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        g_autofree char *name = storage_volume_get_pool(data->volume);
        const StoragePool *pool = manager_find_pool(job->manager, name);

        /* Nothing can have been made, or what is there is not ours. */
        if (!pool || pool->state != POOL_AVAILABLE || job->error.code == ERROR_EXISTS)
                return JOB_STEP_DONE;
        return delete_files(job, ret_error);
}

int volume_step_commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        StorageVolume *v = data->volume;
        int r;

        v->state = STORAGE_VOLUME_READY;
        r = manager_save(job->manager, &v->object, ret_error);
        if (r < 0) {
                v->state = STORAGE_VOLUME_CREATING;
                return r;
        }
        manager_changed(job->manager, &v->object);
        return JOB_STEP_DONE;
}

static const JobStep create_steps[] = {
        { NULL, create_record, volume_step_forget },
        { "Making the volume", create_files, volume_step_unmake },
        { NULL, volume_step_commit, NULL },
        { NULL },
};

int volume_check_new(Manager *m, const StoragePool *pool, const char *name, Error *ret_error) {
        g_autofree char *full = g_strconcat(pool->object.name, "/", name, NULL);
        int r;

        r = name_check(NAME_VOLUME, name, ret_error);
        if (r >= 0 && pool->state != POOL_AVAILABLE && pool->state != POOL_UNAVAILABLE)
                r = storage_pool_unavailable(pool, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_VOLUME, full, ret_error);
        return r < 0 ? r : pool_check_no_files(m, pool->object.name, "custom", name, ret_error);
}

/* Puts the new volume into the table and locks it for its job. */
static int start_new(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                     StorageVolume *owned, Job **ret, Error *ret_error) {
        g_autoptr(StorageVolume) v = owned;
        int r = volume_job_new(m, operation, caller, steps, v, ret, ret_error);

        if (r < 0)
                return r;
        manager_add(m, &v->object);
        usage_changed(m, &v->object);
        (void) TAKE_PTR(v);
        return 0;
}

int volume_create(Manager *m, Caller caller, StoragePool *pool, const VolumeCreate *args, Job **ret,
                  Error *ret_error) {
        const char *size = config_get(pool->config, "volume.size");
        g_autoptr(GVariant) defaults = config_empty();
        g_autoptr(StorageVolume) v = NULL;
        int r;

        r = config_check(args->config, NULL, CONFIG_SCOPE_VOLUME, ret_error);
        if (r >= 0)
                r = volume_check_new(m, pool, args->name, ret_error);
        if (r < 0)
                return r;
        v = storage_volume_new(pool->object.name, args->name, caller.uid);
        v->created = (uint64_t) g_get_real_time();
        g_variant_unref(v->config);
        if (size) {
                g_variant_unref(defaults);
                defaults = g_variant_ref_sink(g_variant_new_parsed("{'size': %s}", size));
        }
        v->config = config_merge(defaults, args->config, NULL);
        if (args->description) {
                g_free(v->description);
                v->description = g_strdup(args->description);
        }
        return start_new(m, "volume-create", caller, create_steps, TAKE_PTR(v), ret, ret_error);
}

/* --- copying --- */

static GVariant *names_of(const GPtrArray *snapshots) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; i < snapshots->len; i++)
                g_variant_builder_add(&builder, "s", snapshot_get_name(snapshots->pdata[i]));
        return g_variant_builder_end(&builder);
}

int volume_step_copy(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        const StorageVolume *source = data->source;
        g_autofree char *name = storage_volume_get_pool(source);
        g_autofree char *to_name = storage_volume_get_pool(data->volume);
        g_autofree char *path = pool_get_path(job->manager, name);
        StoragePool *from, *to;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, name, &from, ret_error);
        if (r == JOB_STEP_DONE)
                r = step_wait_for_pool(job, to_name, &to, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, to);
        g_variant_dict_insert(&args, "from-pool", "s", name);
        g_variant_dict_insert(&args, "from-driver", "s", from->driver);
        g_variant_dict_insert(&args, "from-path", "s", path);
        g_variant_dict_insert(&args, "volume", "s", storage_volume_get_name(source));
        g_variant_dict_insert(&args, "snapshot", "s", data->from_snapshot);
        g_variant_dict_insert(&args, "name", "s", storage_volume_get_name(data->volume));
        g_variant_dict_insert_value(&args, "snapshots",
                                    names_of(data->refresh ? data->new : data->volume->snapshots));
        g_variant_dict_insert(&args, "refresh", "b", data->refresh);
        g_variant_dict_insert_value(&args, "idmap", g_variant_new("a(suuu)", NULL));
        g_variant_dict_insert(&args, "size", "t", storage_volume_get_size(data->volume));
        return job_run_worker(job, OPERATION_VOLUME_COPY, g_variant_dict_end(&args), NULL, 0, NULL,
                              ret_error);
}

static const JobStep copy_steps[] = {
        { NULL, create_record, volume_step_forget },
        { "Copying the volume", volume_step_copy, volume_step_unmake },
        { NULL, volume_step_commit, NULL },
        { NULL },
};

static int copy_check(Manager *m, const VolumeCopy *args, Error *ret_error) {
        const StorageVolume *source = args->source;
        const Snapshot *s = *args->snapshot ? snapshots_find(source->snapshots, args->snapshot)
                                            : NULL;
        int r = volume_check_ready(source, ret_error);

        if (r < 0)
                return r;
        if (*args->snapshot && (!s || s->state != SNAPSHOT_READY))
                return error_set(ret_error, ERROR_NO_SUCH_SNAPSHOT,
                                 "Volume \"%s\" has no snapshot \"%.80s\"", source->object.name,
                                 args->snapshot);
        return args->refresh ? 0 : volume_check_new(m, args->pool, args->name, ret_error);
}

int volume_copy(Manager *m, Caller caller, const VolumeCopy *args, Job **ret, Error *ret_error) {
        StorageVolume *source = args->source;
        g_autoptr(StorageVolume) v = NULL;
        VolumeJob *data;
        int r;

        r = copy_check(m, args, ret_error);
        if (r < 0)
                return r;
        if (args->refresh)
                return volume_refresh(m, caller, args, ret, ret_error);
        v = storage_volume_new(args->pool->object.name, args->name, caller.uid);
        v->created = (uint64_t) g_get_real_time();
        g_variant_unref(v->config);
        v->config = config_merge(source->config, NULL, NULL);
        g_free(v->description);
        v->description = g_strdup(source->description);
        for (guint i = 0; !args->without_snapshots && !*args->snapshot &&
                          i < source->snapshots->len; i++) {
                const Snapshot *s = source->snapshots->pdata[i];

                if (s->state == SNAPSHOT_READY)
                        g_ptr_array_add(v->snapshots, snapshot_copy(s, args->name, caller.uid));
        }
        r = volume_job_new(m, "volume-copy", caller, copy_steps, v, ret, ret_error);
        if (r >= 0) {
                r = job_lock(*ret, &source->object, ret_error);
                if (r < 0)
                        *ret = job_free(*ret);
        }
        if (r < 0)
                return r;
        data = (*ret)->data;
        data->source = source;
        data->from_snapshot = g_strdup(args->snapshot);
        manager_add(m, &v->object);
        usage_changed(m, &v->object);
        (void) TAKE_PTR(v);
        return 0;
}

/* --- renaming --- */

static int rename_mark(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        job->cancelable = false;
        g_free(data->volume->rename_to);
        data->volume->rename_to = g_strdup(data->name);
        return manager_save(job->manager, &data->volume->object, ret_error);
}

static int rename_mark_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        g_clear_pointer(&data->volume->rename_to, g_free);
        return manager_save(job->manager, &data->volume->object, ret_error);
}

static int rename_files(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", data->name);
        return volume_run_worker(job, OPERATION_VOLUME_RENAME, g_variant_dict_end(&args),
                                 ret_error);
}

static int rename_files_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        g_autofree char *pool_name = storage_volume_get_pool(data->volume);
        StoragePool *pool = manager_find_pool(job->manager, pool_name);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "volume", "s", data->name);
        g_variant_dict_insert(&args, "name", "s", storage_volume_get_name(data->volume));
        return job_run_worker(job, OPERATION_VOLUME_RENAME, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

static void rename_snapshots(StorageVolume *v) {
        for (guint i = 0; i < v->snapshots->len; i++) {
                Snapshot *s = v->snapshots->pdata[i];
                g_autofree char *last = g_strdup(snapshot_get_name(s));

                snapshot_set_name(s, storage_volume_get_name(v), last);
        }
}

/* The record of the new name is written before the other goes: between them, recovery sees that
 * both are of one volume by rename_to. */
static int rename_commit(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        StorageVolume *v = data->volume;
        g_autofree char *pool = storage_volume_get_pool(v), *old = g_strdup(v->object.name);
        g_autofree char *name = g_strconcat(pool, "/", data->name, NULL);
        int r;

        g_clear_pointer(&v->rename_to, g_free);
        manager_rename(job->manager, &v->object, name);
        rename_snapshots(v);
        r = manager_save(job->manager, &v->object, ret_error);
        if (r < 0) {
                manager_rename(job->manager, &v->object, old);
                rename_snapshots(v);
                v->rename_to = g_strdup(data->name);
                return r;
        }
        if (manager_forget(job->manager, OBJECT_VOLUME, old, NULL) < 0)
                log_warning("The old record of volume \"%s\" cannot be removed.", name);
        job_clear_subjects(job);
        job_add_subject(job, OBJECT_VOLUME, name);
        usage_changed(job->manager, &v->object);
        return JOB_STEP_DONE;
}

static const JobStep rename_steps[] = {
        { NULL, rename_mark, rename_mark_undo },
        { "Renaming the volume", rename_files, rename_files_undo },
        { NULL, rename_commit, NULL },
        { NULL },
};

int volume_rename(Manager *m, Caller caller, StorageVolume *v, const char *name, Job **ret,
                  Error *ret_error) {
        g_autofree char *pool = storage_volume_get_pool(v);
        int r = volume_check_ready(v, ret_error);

        /* One that was begun is finished. */
        if (r >= 0 && !v->rename_to)
                r = volume_check_new(m, manager_find_pool(m, pool), name, ret_error);
        if (r >= 0)
                r = usage_check_none(m, &v->object, ret_error);
        if (r >= 0)
                r = volume_job_new(m, "volume-rename", caller, rename_steps, v, ret, ret_error);
        if (r >= 0)
                ((VolumeJob *) (*ret)->data)->name = g_strdup(name);
        return r;
}

/* --- changing --- */

static void update_swap(VolumeJob *data) {
        StorageVolume *v = data->volume;
        GVariant *config = v->config;
        char *description = v->description;

        v->config = data->config;
        v->description = data->description;
        data->config = config;
        data->description = description;
}

static int update_commit(Manager *m, VolumeJob *data, Error *ret_error) {
        StorageVolume *v = data->volume;
        bool resizing = v->resizing;
        int r;

        update_swap(data);
        v->object.revision++;
        v->resizing = false;
        r = manager_save(m, &v->object, ret_error);
        if (r < 0) {
                update_swap(data);
                v->object.revision--;
                v->resizing = resizing;
                return r;
        }
        manager_changed(m, &v->object);
        return 0;
}

static int resize(Job *job, uint64_t size, uint64_t before, bool room, Error *ret_error) {
        VolumeJob *data = job->data;
        const StorageVolume *v = data->volume;
        g_autofree char *name = storage_volume_get_pool(v);
        g_autofree char *path = pool_get_path(job->manager, name);
        const StoragePool *pool = manager_find_pool(job->manager, name);
        GVariantBuilder volumes;
        GVariantDict args;

        g_variant_builder_init(&volumes, G_VARIANT_TYPE("a(sssssttb)"));
        g_variant_builder_add(&volumes, "(sssssttb)", name, pool->driver, path, "custom",
                              storage_volume_get_name(v), size, before, room);
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "volumes", g_variant_builder_end(&volumes));
        return job_run_worker(job, OPERATION_VOLUME_RESIZE, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

static int set_resizing(Job *job, bool resizing, Error *ret_error) {
        VolumeJob *data = job->data;
        int r;

        data->volume->resizing = resizing;
        r = manager_save(job->manager, &data->volume->object, ret_error);
        if (r < 0)
                data->volume->resizing = !resizing;
        return r;
}

static int update_mark(Job *job, Error *ret_error) {
        return set_resizing(job, true, ret_error);
}

static int update_mark_undo(Job *job, Error *ret_error) {
        return set_resizing(job, false, ret_error);
}

static int update_wait(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        g_autofree char *name = storage_volume_get_pool(data->volume);
        StoragePool *unused;

        return step_wait_for_pool(job, name, &unused, ret_error);
}

static uint64_t get_new_size(VolumeJob *data) {
        uint64_t size;

        update_swap(data);
        size = storage_volume_get_size(data->volume);
        update_swap(data);
        return size;
}

static int update_size(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return resize(job, get_new_size(data), storage_volume_get_size(data->volume), true,
                      ret_error);
}

static int update_size_undo(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;

        return resize(job, storage_volume_get_size(data->volume), get_new_size(data), false,
                      ret_error);
}

/* A worker that fails undoes it itself, one that is killed does not. */
static int update_size_half_undo(Job *job, Error *ret_error) {
        return job->worker_died ? update_size_undo(job, ret_error) : JOB_STEP_DONE;
}

static int update_record(Job *job, Error *ret_error) {
        return update_commit(job->manager, job->data, ret_error);
}

static const JobStep update_steps[] = {
        { "Waiting for storage", update_wait, NULL },
        { NULL, update_mark, update_mark_undo },
        { "Changing the size", update_size, update_size_half_undo, .again = true },
        { NULL, update_record, update_size_undo },
        { NULL },
};

/* Whatever it has come to. */
static int recover_size(Job *job, Error *ret_error) {
        VolumeJob *data = job->data;
        uint64_t size = storage_volume_get_size(data->volume);

        return resize(job, size, size, false, ret_error);
}

static const JobStep recover_size_steps[] = {
        { "Waiting for storage", update_wait, NULL },
        { "Changing the size back", recover_size, NULL, .again = true },
        { NULL, update_mark_undo, NULL },
        { NULL },
};

int volume_resize_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error) {
        return volume_job_new(m, "volume-recover", CALLER_SERVICE, recover_size_steps, v, ret,
                              ret_error);
}

static int update_check(Manager *m, StorageVolume *v, const VolumeUpdate *update,
                        Error *ret_error) {
        Job *holder = manager_get_lock(m, &v->object);

        if (update->if_revision && *update->if_revision != v->object.revision)
                return error_set(ret_error, ERROR_CONFLICT,
                                 "Volume \"%s\" has changed meanwhile; read it again",
                                 v->object.name);
        if (holder)
                return error_set(ret_error, ERROR_BUSY, "Job %s (%s) works on the volume \"%s\"",
                                 holder->object.name, holder->operation, v->object.name);
        return config_check(update->set, update->unset, CONFIG_SCOPE_VOLUME, ret_error);
}

int volume_update(Manager *m, Caller caller, StorageVolume *v, const VolumeUpdate *update,
                  Job **ret, Error *ret_error) {
        VolumeJob plain = { .volume = v }, *data;
        int r;

        r = update_check(m, v, update, ret_error);
        if (r < 0)
                return r;
        plain.config = config_merge(v->config, update->set, update->unset);
        plain.description = g_strdup(update->description ?: v->description);
        if (g_strcmp0(config_get(plain.config, "size"), config_get(v->config, "size")) != 0) {
                r = volume_job_new(m, "volume-update", caller, update_steps, v, ret, ret_error);
                if (r >= 0) {
                        data = (*ret)->data;
                        data->config = TAKE_PTR(plain.config);
                        data->description = TAKE_PTR(plain.description);
                }
        } else {
                *ret = NULL;
                r = update_commit(m, &plain, ret_error);
        }
        g_clear_pointer(&plain.config, g_variant_unref);
        g_free(plain.description);
        return r;
}
