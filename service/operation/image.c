/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/archive.h"
#include "service/operation/image-job.h"
#include "service/operation/pool-records.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define ALIASES_MAX 64

int image_open_archives(Manager *m, Error *ret_error) {
        g_autofree char *path = g_build_filename(m->state_dir, "archives", NULL);
        int r = path_make_dirs(path, 0700);

        if (r >= 0)
                r = path_open_dir(path);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot open %s", path) : r;
}

char *image_archive_path(Manager *m, const char *name, const char *suffix) {
        g_autofree char *file = g_strconcat(name, suffix, NULL);

        return g_build_filename(m->state_dir, "archives", file, NULL);
}

int image_remove_archives(Manager *m, const char *name, Error *ret_error) {
        static const char *const suffixes[] = { "", IMAGE_ROOTFS_SUFFIX };
        _cleanup_close_ int fd = image_open_archives(m, ret_error);

        if (fd < 0)
                return fd;
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                g_autofree char *file = g_strconcat(name, suffixes[i], NULL);
                int r = path_remove_file(fd, file);

                if (r < 0 && r != -ENOENT)
                        return error_set_errno(ret_error, -r, "Cannot remove archives/%s", file);
        }
        return 0;
}

/* Whether a record says that the file is an image's. */
static bool archive_is_owned(Manager *m, const char *file) {
        g_autofree char *name = g_str_has_suffix(file, IMAGE_ROOTFS_SUFFIX)
                                        ? g_strndup(file, strlen(file) -
                                                                  strlen(IMAGE_ROOTFS_SUFFIX))
                                        : g_strdup(file);

        return record_dir_has(m->records[OBJECT_IMAGE], name);
}

void image_sweep(Manager *m) {
        _cleanup_close_ int fd = image_open_archives(m, NULL);
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                if (!path_is_component(entry->d_name) || archive_is_owned(m, entry->d_name))
                        continue;
                log_notice("Removing archive %s, which no image owns.", entry->d_name);
                (void) path_remove_file(dirfd(d), entry->d_name);
        }
        (void) closedir(d);
}

static int check_archive(const Image *image, Error *ret_error) {
        if (!image->archive_lost)
                return 0;
        return error_set(ret_error, ERROR_NO_SUCH_FILE,
                         "The archive of image %.12s was lost with the records of the service, and "
                         "it is unpacked in pool \"%s\" alone; publish a container that is made "
                         "of it there, or delete it and import it again", image->object.name,
                         image->pools[0] ?: "");
}

/* --- unpacking into another pool --- */

static int unpack_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;
        Image *image = manager_find_image(job->manager, data->container->image);

        if (!image)
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE, "The image is not there any more");
        image_set_unpacked(image, data->container->pool, true);
        job_unlock(job, &image->object);
        return manager_save(job->manager, &image->object, ret_error);
}

int step_unpack_image(Job *job, Image *image, const char *pool_name, Error *ret_error) {
        Manager *m = job->manager;
        const char *suffix = image->split ? IMAGE_ROOTFS_SUFFIX : "";
        g_autofree char *archive = image_archive_path(m, image->object.name, suffix);
        Job *other = manager_get_lock(m, &image->object);
        GVariantDict args;
        int r;

        if (image_is_unpacked(image, pool_name))
                return JOB_STEP_DONE;
        if (other && other != job)
                return job_wait_for(job, other);
        r = check_archive(image, ret_error);
        if (r >= 0)
                r = job_lock(job, &image->object, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, m, manager_find_pool(m, pool_name));
        g_variant_dict_insert(&args, image->split ? "rootfs" : "archive", "s", archive);
        g_variant_dict_insert(&args, "image", "s", image->object.name);
        return job_run_worker(job, OPERATION_IMAGE_UNPACK, g_variant_dict_end(&args), NULL, 0,
                              unpack_done, ret_error);
}

/* --- exporting --- */

static int export_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        g_autofree char *archive = image_archive_path(job->manager, data->fingerprint,
                                                      data->split ? IMAGE_ROOTFS_SUFFIX : "");
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "archive", "s", archive);
        return job_run_worker(job, OPERATION_IMAGE_EXPORT, g_variant_dict_end(&args), &fd, 1, NULL,
                              ret_error);
}

static const JobStep export_steps[] = {
        { "Writing the archive", export_run, NULL },
        { NULL },
};

/* Which of the archives, where there are two. */
static int export_check_part(const Image *image, const char *part, Error *ret_error) {
        if (*part && !g_str_equal(part, "metadata") && !g_str_equal(part, "rootfs"))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "An image has no part \"%.40s\": metadata or rootfs", part);
        if (image->split && !*part)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Image %.12s is split in two archives; say which part: metadata "
                                 "or rootfs", image->object.name);
        if (!image->split && *part)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Image %.12s is one archive and has no parts",
                                 image->object.name);
        return 0;
}

int image_export(Manager *m, Caller caller, Image *image, int archive, const char *part, Job **ret,
                 Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = archive_check_stream(archive, O_WRONLY, "writing", ret_error);
        if (r >= 0)
                r = export_check_part(image, part, ret_error);
        if (r >= 0)
                r = check_archive(image, ret_error);
        if (r < 0)
                return r;
        data = image_job_new();
        data->split = g_str_equal(part, "rootfs");
        data->fingerprint = g_strdup(image->object.name);
        data->fd = fcntl(archive, F_DUPFD_CLOEXEC, 3);
        r = job_new(m, "image-export", caller.uid, export_steps, data, image_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_IMAGE, image->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- deleting --- */

int image_step_delete_volume(Job *job, const char *fingerprint, const char *pool_name,
                         int (*done)(Job *, GVariant *, int *, size_t, Error *),
                         Error *ret_error) {
        StoragePool *pool;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, pool_name, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "image", "s", fingerprint);
        return job_run_worker(job, OPERATION_IMAGE_DELETE, g_variant_dict_end(&args), NULL, 0, done,
                              ret_error);
}

static int delete_mark(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        data->image->state = IMAGE_DELETING;
        return manager_save(job->manager, &data->image->object, ret_error);
}

static int delete_volume_done(Job *job, GVariant *result, int *fds, size_t n_fds,
                              Error *ret_error) {
        ImageJob *data = job->data;
        g_autofree char *pool = g_strdup(data->image->pools[0]);

        image_set_unpacked(data->image, pool, false);
        pool_records_forget(job->manager, OBJECT_IMAGE, pool, data->image->object.name);
        job_repeat_step(job);
        return manager_save(job->manager, &data->image->object, ret_error);
}

static int delete_volumes(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        const char *pool = data->image->pools[0];

        if (!pool)
                return JOB_STEP_DONE;
        return image_step_delete_volume(job, data->image->object.name, pool, delete_volume_done,
                                        ret_error);
}

static int delete_archive(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image = data->image;
        int r;

        r = image_remove_archives(job->manager, image->object.name, ret_error);
        if (r < 0)
                return r;
        r = manager_forget(job->manager, OBJECT_IMAGE, image->object.name, ret_error);
        if (r < 0)
                return r;
        data->image = NULL;
        manager_remove(job->manager, &image->object);
        return JOB_STEP_DONE;
}

static const JobStep delete_steps[] = {
        { NULL, delete_mark, NULL },
        { "Deleting the image", delete_volumes, NULL, .again = true },
        { NULL, delete_archive, NULL },
        { NULL },
};

/* A container that is just being made of it would find it gone half-way. */
static int check_not_wanted(Manager *m, const Image *image, Error *ret_error) {
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (c->incomplete && g_str_equal(c->image, image->object.name))
                        return error_set(ret_error, ERROR_BUSY,
                                         "Container \"%s\" is just being made from this image",
                                         c->object.name);
        return 0;
}

int image_delete(Manager *m, Caller caller, Image *image, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = check_not_wanted(m, image, ret_error);
        if (r < 0)
                return r;
        data = image_job_new();
        data->image = image;
        r = job_new(m, "image-delete", caller.uid, delete_steps, data, image_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &image->object, ret_error);
        if (r < 0)
                return r;
        job->cancelable = false;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_IMAGE, image->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- small changes --- */

int image_alias_add(Manager *m, Image *image, const char *alias, bool move, Error *ret_error) {
        GHashTableIter iter;
        Image *other;
        int r;

        r = name_check(NAME_ALIAS, alias, ret_error);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other))
                if (!move && image_has_alias(other, alias))
                        return error_set(ret_error, ERROR_EXISTS,
                                         "The alias \"%s\" is borne by image %.12s already", alias,
                                         other->object.name);
        if (g_strv_length(image->aliases) >= ALIASES_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "Image %.12s has %d aliases already", image->object.name,
                                 ALIASES_MAX);
        r = image_take_alias(m, alias, ret_error);
        if (r < 0)
                return r;
        image_add_alias(image, alias);
        r = manager_save(m, &image->object, ret_error);
        if (r < 0)
                image_remove_alias(image, alias);
        else
                manager_changed(m, &image->object);
        return r;
}

int image_alias_remove(Manager *m, Image *image, const char *alias, Error *ret_error) {
        int r;

        if (!image_has_alias(image, alias))
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE,
                                 "Image %.12s has no alias \"%.80s\"", image->object.name, alias);
        image_remove_alias(image, alias);
        r = manager_save(m, &image->object, ret_error);
        if (r < 0)
                image_add_alias(image, alias);
        else
                manager_changed(m, &image->object);
        return r;
}

int image_update(Manager *m, Image *image, const ImageUpdate *args, Error *ret_error) {
        uint64_t old_expires = image->expires;
        g_autoptr(GVariant) old = NULL;
        bool old_public = image->public, old_auto_update = image->auto_update;
        int r;

        r = config_check_unique(args->set, "Image property", ret_error);
        if (r >= 0)
                r = image_check_properties(args->set, ret_error);
        if (r < 0)
                return r;
        if (args->auto_update && *args->auto_update && !*image->server)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Image %.12s came from no image server that it could follow",
                                 image->object.name);
        old = image->properties;
        image->properties = config_merge(old, args->set, args->unset);
        if (args->auto_update)
                image->auto_update = *args->auto_update;
        if (args->public)
                image->public = *args->public;
        if (args->expires)
                image->expires = *args->expires;
        r = manager_save(m, &image->object, ret_error);
        if (r < 0) {
                g_variant_unref(image->properties);
                image->properties = TAKE_PTR(old);
                image->public = old_public;
                image->auto_update = old_auto_update;
                image->expires = old_expires;
                return r;
        }
        manager_changed(m, &image->object);
        return 0;
}
