/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/size.h"
#include "service/operation/pool-records.h"
#include "service/operation/pool-sweep.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

typedef struct PoolJob {
        StoragePool *pool; /* locked; NULL once it has been removed */
        GPtrArray *strays; /* of JobSubject: volumes that no record owns */
} PoolJob;

static void stray_free(void *p) {
        JobSubject *stray = p;

        g_free(stray->name);
        g_free(stray);
}

static void pool_job_free(void *p) {
        PoolJob *data = p;

        g_ptr_array_unref(data->strays);
        g_free(data);
}

static void keep(GVariantBuilder *kept, const char *directory, const char *name) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        g_variant_builder_add(kept, "s", path);
}

/* Volumes whose old files are wanted still: a refresh that was interrupted is undone with them. */
static GVariant *kept_volumes(Manager *m, const StoragePool *pool) {
        GVariantBuilder kept;
        GHashTableIter iter;
        StorageVolume *v;
        Container *c;

        g_variant_builder_init(&kept, G_VARIANT_TYPE_STRING_ARRAY);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (c->refreshing && g_str_equal(c->pool, pool->object.name))
                        keep(&kept, "containers", c->object.name);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_VOLUME]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &v)) {
                g_autofree char *its_pool = storage_volume_get_pool(v);

                if (v->refreshing && g_str_equal(its_pool, pool->object.name))
                        keep(&kept, "custom", storage_volume_get_name(v));
        }
        return g_variant_builder_end(&kept);
}

void pool_put_source(GVariantDict *args, Manager *m, StoragePool *pool, uint64_t size) {
        step_put_pool(args, m, pool);
        g_variant_dict_insert(args, "source", "s", pool->source);
        g_variant_dict_insert(args, "uuid", "s", config_get(pool->config, "volatile.uuid") ?: "");
        g_variant_dict_insert(args, "size", "t", size);
        g_variant_dict_insert(args, "state-dir", "s", m->state_dir);
        g_variant_dict_insert_value(args, "config", pool->config);
        g_variant_dict_insert_value(args, "kept", kept_volumes(m, pool));
}

static int run_pool_worker(Job *job, const char *operation,
                           int (*done)(Job *, GVariant *, int *, size_t, Error *),
                           Error *ret_error) {
        PoolJob *data = job->data;
        const char *size = config_get(data->pool->config, "size");
        uint64_t bytes = 0;
        GVariantDict args;
        int r;

        r = size ? size_parse(size, &bytes, ret_error) : 0;
        if (r < 0)
                return r;
        g_variant_dict_init(&args, NULL);
        pool_put_source(&args, job->manager, data->pool, bytes);
        g_variant_dict_insert(&args, "incomplete", "b", data->pool->state == POOL_CREATING);
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, done, ret_error);
}

/* --- creating --- */

static int create_record(Job *job, Error *ret_error) {
        PoolJob *data = job->data;

        return manager_save(job->manager, &data->pool->object, ret_error);
}

static int create_record_undo(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        StoragePool *pool = TAKE_PTR(data->pool);
        int r;

        r = manager_forget(job->manager, OBJECT_POOL, pool->object.name, ret_error);
        if (r < 0)
                return r;
        manager_remove(job->manager, &pool->object);
        return 0;
}

static int create_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        PoolJob *data = job->data;
        g_autoptr(GVariant) set = NULL;
        const char *source, *uuid;
        GVariant *config;

        if (!g_variant_lookup(result, "source", "&s", &source) ||
            !g_variant_lookup(result, "uuid", "&s", &uuid))
                return error_set(ret_error, ERROR_FAILED,
                                 "The storage worker's result is incomplete");
        g_free(data->pool->source);
        data->pool->source = g_strdup(source);
        if (!*uuid)
                return 0;
        set = g_variant_ref_sink(g_variant_new_parsed("{'volatile.uuid': %s}", uuid));
        config = config_merge(data->pool->config, set, NULL);
        g_variant_unref(data->pool->config);
        data->pool->config = config;
        return 0;
}

static int create_run(Job *job, Error *ret_error) {
        return run_pool_worker(job, OPERATION_POOL_CREATE, create_done, ret_error);
}

static int delete_run(Job *job, Error *ret_error) {
        return run_pool_worker(job, OPERATION_POOL_DELETE, NULL, ret_error);
}

/* A worker that failed has undone itself; only what it had finished is to be deleted, and what one
 * that was killed may have left. */
static int create_run_undo(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        const char *wanted = config_get(data->pool->config, "source") ?: "";

        if (g_str_equal(data->pool->source, wanted) && !job->worker_died)
                return JOB_STEP_DONE;
        return delete_run(job, ret_error);
}

static int create_commit(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        int r;

        data->pool->state = POOL_AVAILABLE;
        r = manager_save(job->manager, &data->pool->object, ret_error);
        manager_changed(job->manager, &data->pool->object);
        return r;
}

static const JobStep create_steps[] = {
        { NULL, create_record, create_record_undo },
        { "Making the storage pool", create_run, create_run_undo },
        { NULL, create_commit, delete_run },
        { NULL },
};

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   StoragePool *pool, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        PoolJob *data = g_new0(PoolJob, 1);
        int r;

        data->pool = pool;
        data->strays = g_ptr_array_new_with_free_func(stray_free);
        r = job_new(m, operation, caller.uid, steps, data, pool_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &pool->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false;
        job_add_subject(job, OBJECT_POOL, pool->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* Of the filesystem or volume group to be: recorded before it is made, so that whatever interrupts
 * that, what is on the device is known as ours, and nothing else is. */
static void choose_uuid(StoragePool *pool) {
        g_autofree char *uuid = g_uuid_string_random();
        g_autoptr(GVariant) old = pool->config, set = NULL;

        set = g_variant_ref_sink(g_variant_new_parsed("{'volatile.uuid': %s}", uuid));
        pool->config = config_merge(old, set, NULL);
}

/* What bears the name of a pool whose record was lost is nobody's to take: once there is a record
 * of this one, however far it came, it is taken for this one's. */
static int check_no_remains(Manager *m, const StoragePool *pool, Error *ret_error) {
        g_autofree char *mount = pool_get_path(m, pool->object.name);
        g_autofree char *image = g_strdup_printf("%s/disks/%s.img", m->state_dir,
                                                 pool->object.name);
        struct stat st;

        if (storage_pool_has_file(pool) && lstat(image, &st) >= 0)
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is a file \"%s\" already, of a pool that there is no "
                                 "record of; \"berth admin recover\" may bring it back, or move "
                                 "the file away", image);
        if (rmdir(mount) < 0 && errno != ENOENT)
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is something at \"%s\" already, of a pool that there is "
                                 "no record of; \"berth admin recover\" may bring it back, or move "
                                 "it away", mount);
        return 0;
}

int pool_create(Manager *m, Caller caller, const PoolCreate *args, Job **ret, Error *ret_error) {
        g_autoptr(StoragePool) pool = NULL;
        const char *source;
        int r;

        r = name_check(NAME_POOL, args->name, ret_error);
        if (r >= 0)
                r = storage_pool_check_driver(args->driver, ret_error);
        if (r >= 0)
                r = config_check(args->config, NULL, CONFIG_SCOPE_POOL, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_POOL, args->name, ret_error);
        if (r < 0)
                return r;
        source = config_get(args->config, "source") ?: "";
        r = storage_pool_check_config(args->driver, source, args->config, ret_error);
        if (r < 0)
                return r;

        pool = storage_pool_new(args->name, caller.uid);
        pool->state = POOL_CREATING;
        g_free(pool->driver);
        pool->driver = g_strdup(args->driver);
        g_free(pool->source);
        pool->source = g_strdup(source);
        g_variant_unref(pool->config);
        pool->config = config_merge(args->config, NULL, NULL);
        if (args->description) {
                g_free(pool->description);
                pool->description = g_strdup(args->description);
        }
        if (g_str_equal(args->driver, "lvm") ||
            (g_str_equal(args->driver, "btrfs") && g_str_has_prefix(source, "/dev/")))
                choose_uuid(pool);
        r = check_no_remains(m, pool, ret_error);
        if (r < 0)
                return r;
        r = new_job(m, "pool-create", caller, create_steps, pool, ret, ret_error);
        if (r < 0)
                return r;
        manager_add(m, &TAKE_PTR(pool)->object);
        return 0;
}

/* --- deleting --- */

static int delete_mark(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        int r;

        /* Of one that was never whole less is taken for its own: see the worker's pool_delete(). */
        if (data->pool->state == POOL_CREATING)
                return JOB_STEP_DONE;
        data->pool->state = POOL_DELETING;
        r = manager_save(job->manager, &data->pool->object, ret_error);
        manager_changed(job->manager, &data->pool->object);
        return r;
}

/* Images are not unpacked there any more; their archives stay. */
static int delete_from_images(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        GHashTableIter iter;
        Image *image;

        g_hash_table_iter_init(&iter, job->manager->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image)) {
                int r;

                if (!image_is_unpacked(image, data->pool->object.name))
                        continue;
                image_set_unpacked(image, data->pool->object.name, false);
                r = manager_save(job->manager, &image->object, ret_error);
                if (r < 0)
                        return r;
        }
        return JOB_STEP_DONE;
}

static const JobStep delete_steps[] = {
        { NULL, delete_mark, NULL },
        { NULL, delete_from_images, NULL },
        { "Deleting the storage pool", delete_run, NULL, .again = true },
        { NULL, create_record_undo, NULL },
        { NULL },
};

int pool_delete(Manager *m, Caller caller, StoragePool *pool, Job **ret, Error *ret_error) {
        int r = usage_check_none(m, &pool->object, ret_error);

        if (r < 0)
                return r;
        return new_job(m, "pool-delete", caller, delete_steps, pool, ret, ret_error);
}

/* --- mounting --- */

/* Names in a directory of volumes that no record owns. */
static void collect_strays(Manager *m, PoolJob *data, int pool_fd, ObjectKind kind,
                           const char *directory) {
        _cleanup_close_ int fd = path_open_beneath(pool_fd, directory, O_RDONLY | O_DIRECTORY, 0);
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                JobSubject *stray;
                /* A record that cannot be read is still somebody's. */
                bool owned = manager_find(m, kind, entry->d_name) ||
                             record_dir_has(m->records[kind], entry->d_name);
                Container *c = NULL;
                GHashTableIter iter;

                if (!path_is_component(entry->d_name) || entry->d_name[0] == '.')
                        continue;
                /* A rename that was interrupted has its volume under either name. */
                g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
                while (kind == OBJECT_CONTAINER && !owned &&
                       g_hash_table_iter_next(&iter, NULL, (void **) &c))
                        owned = g_strcmp0(c->rename_to, entry->d_name) == 0;
                if (owned)
                        continue;
                /* An image can be unpacked again. The files of a container cannot be had again: a
                 * record that was lost or restored from an old copy is no reason to delete them. */
                if (kind == OBJECT_CONTAINER) {
                        log_warning("Pool \"%s\" holds files of a container \"%s\" that there is "
                                    "no record of; they are kept.", data->pool->object.name,
                                    entry->d_name);
                        continue;
                }
                stray = g_new0(JobSubject, 1);
                *stray = (JobSubject) { kind, g_strdup(entry->d_name) };
                g_ptr_array_add(data->strays, stray);
        }
        (void) closedir(d);
}

/* As with those of containers. */
static void warn_of_volumes(Manager *m, const StoragePool *pool, int pool_fd) {
        _cleanup_close_ int fd = path_open_beneath(pool_fd, "custom", O_RDONLY | O_DIRECTORY, 0);
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                g_autofree char *name = g_strconcat(pool->object.name, "/", entry->d_name, NULL);

                if (path_is_component(entry->d_name) && entry->d_name[0] != '.' &&
                    !manager_has_record(m, OBJECT_VOLUME, name))
                        log_warning("There are files of a volume \"%s\" that there is no record "
                                    "of; they are kept.", name);
        }
        (void) closedir(d);
}

static int mount_collect(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        g_autofree char *path = pool_get_path(job->manager, data->pool->object.name);
        _cleanup_close_ int fd = path_open_dir(path);

        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open %s", path);
        collect_strays(job->manager, data, fd, OBJECT_CONTAINER, "containers");
        collect_strays(job->manager, data, fd, OBJECT_IMAGE, "images");
        warn_of_volumes(job->manager, data->pool, fd);
        return JOB_STEP_DONE;
}

static int stray_deleted(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        PoolJob *data = job->data;

        g_ptr_array_remove_index(data->strays, data->strays->len - 1);
        job_repeat_step(job);
        return 0;
}

static int mount_sweep(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        const JobSubject *stray;
        GVariantDict args;
        bool image;

        if (data->strays->len == 0)
                return JOB_STEP_DONE;
        stray = g_ptr_array_index(data->strays, data->strays->len - 1);
        image = stray->kind == OBJECT_IMAGE;
        log_notice("Deleting volume \"%s\" of pool \"%s\", which no %s owns.", stray->name,
                   data->pool->object.name, object_kind_to_noun(stray->kind));
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, data->pool);
        g_variant_dict_insert(&args, image ? "image" : "container", "s", stray->name);
        return job_run_worker(job, image ? OPERATION_IMAGE_DELETE : OPERATION_CONTAINER_DELETE,
                              g_variant_dict_end(&args), NULL, 0, stray_deleted, ret_error);
}

static int mount_run(Job *job, Error *ret_error) {
        PoolJob *data = job->data;
        g_autofree char *path = pool_get_path(job->manager, data->pool->object.name);
        struct statx st;

        /* Mostly the service alone was restarted, and the pool is as it was. */
        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) >= 0 &&
            (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) && !pool_needs_sweep(path))
                return JOB_STEP_DONE;
        return run_pool_worker(job, OPERATION_POOL_MOUNT, NULL, ret_error);
}

static int mount_failed(Job *job, Error *ret_error) {
        PoolJob *data = job->data;

        data->pool->state = POOL_UNAVAILABLE;
        data->pool->tried = (uint64_t) g_get_real_time();
        g_free(data->pool->problem);
        data->pool->problem = g_strdup(job->error.message);
        manager_changed(job->manager, &data->pool->object);
        log_error("Storage pool \"%s\" cannot be used: %s", data->pool->object.name,
                  job->error.message);
        return JOB_STEP_DONE;
}

static int mount_told(Job *job, Error *ret_error) {
        PoolJob *data = job->data;

        data->pool->state = POOL_AVAILABLE;
        manager_changed(job->manager, &data->pool->object);
        pool_records_sync(job->manager, data->pool);
        return JOB_STEP_DONE;
}

static const JobStep mount_steps[] = {
        { "Mounting the storage pool", mount_run, mount_failed },
        { NULL, mount_collect, NULL },
        { "Deleting what nobody owns", mount_sweep, NULL },
        { NULL, mount_told, NULL },
        { NULL },
};

int pool_mount(Manager *m, StoragePool *pool, Job **ret, Error *ret_error) {
        return new_job(m, "pool-mount", CALLER_SERVICE, mount_steps, pool, ret, ret_error);
}

/* Mounting what is mounted sweeps it. */
static int sweep_run(Job *job, Error *ret_error) {
        return run_pool_worker(job, OPERATION_POOL_MOUNT, NULL, ret_error);
}

static const JobStep sweep_steps[] = {
        { "Deleting what was left unfinished", sweep_run, NULL },
        { NULL },
};

int pool_sweep(Manager *m, StoragePool *pool, Job **ret, Error *ret_error) {
        return new_job(m, POOL_SWEEP, CALLER_SERVICE, sweep_steps, pool, ret, ret_error);
}

int pool_check_no_files(Manager *m, const char *pool, const char *directory, const char *name,
                        Error *ret_error) {
        g_autofree char *root = pool_get_path(m, pool);
        g_autofree char *path = g_build_filename(root, directory, name, NULL);
        struct stat st;

        if (lstat(path, &st) < 0)
                return 0;
        return error_set(ret_error, ERROR_EXISTS,
                         "Storage pool \"%s\" holds files of the name \"%s\" that there is no "
                         "record of; \"berth admin recover\" may bring it back", pool, name);
}

int pool_get_space(Manager *m, StoragePool *pool, uint64_t *ret_total, uint64_t *ret_used,
                   Error *ret_error) {
        g_autofree char *path = pool_get_path(m, pool->object.name);
        struct statvfs st;

        if (pool->state != POOL_AVAILABLE)
                return storage_pool_unavailable(pool, ret_error);
        if (statvfs(path, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at %s", path);
        *ret_total = (uint64_t) st.f_blocks * st.f_frsize;
        *ret_used = (uint64_t) (st.f_blocks - st.f_bfree) * st.f_frsize;
        return 0;
}
