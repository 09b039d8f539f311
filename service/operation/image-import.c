/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/archive.h"
#include "service/operation/image-job.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define ALIASES_MAX 64
#define FILENAME_MAX_BYTES 255U

ImageJob *image_job_new(void) {
        ImageJob *data = g_new0(ImageJob, 1);

        data->fd = data->rootfs_fd = -EBADF;
        data->snapshot = "";
        data->owner = UID_NOBODY;
        return data;
}

void image_job_free(void *p) {
        ImageJob *data = p;

        (void) image_free(data->made);
        (void) fd_close(data->fd);
        (void) fd_close(data->rootfs_fd);
        g_free(data->spool);
        g_free(data->pool);
        g_strfreev(data->aliases);
        g_clear_pointer(&data->properties, g_variant_unref);
        g_free(data->filename);
        g_free(data->rootfs_filename);
        g_free(data->fingerprint);
        g_free(data->expected);
        g_free(data->server);
        g_free(data->remote_name);
        g_free(data->url);
        g_clear_pointer(&data->files, g_variant_unref);
        g_free(data->replaces);
        g_free(data->compression);
        g_free(data->architecture);
        g_clear_pointer(&data->templates, g_variant_unref);
        container_job_free(p);
}

/* --- what is coming in --- */

/* As much as the largest archive: whoever brings in more at the same time takes the disk from
 * others. Of those that ask polkit, that is: root may. */
#define SPOOL_PER_UID_MAX (G_GUINT64_CONSTANT(64) << 30)

char *image_spool_name(const Manager *m, uid_t owner) {
        return g_strdup_printf(".%u.%u.new", owner, m->last_job_id + 1);
}

char *image_fetched_name(const Job *job, gsize n) {
        return g_strdup_printf(".%u+%s-%" G_GSIZE_FORMAT ".new", job->object.owner,
                               job->object.name, n);
}

static void put_bound(GVariantDict *args, const Job *job, char mark) {
        g_autofree char *prefix = g_strdup_printf(".%u%c", job->object.owner, mark);

        if (job->object.owner == 0)
                return;
        g_variant_dict_insert(args, "spool-prefix", "s", prefix);
        g_variant_dict_insert(args, "spool-max", "t", SPOOL_PER_UID_MAX);
}

void image_put_spool(GVariantDict *args, const Job *job) {
        put_bound(args, job, '.');
}

void image_put_fetched(GVariantDict *args, const Job *job) {
        put_bound(args, job, '+');
}

/* --- importing --- */

/* What the worker has made, as an image that is in no table yet. */
static int image_from_result(Job *job, GVariant *result, Image **ret, Error *ret_error) {
        ImageJob *data = job->data;
        g_autoptr(Image) image = NULL;
        g_autoptr(GVariant) properties = NULL, templates = NULL;
        const char *fingerprint, *architecture;
        guint64 size, created, expires;
        gboolean unpacked;

        if (!g_variant_lookup(result, "fingerprint", "&s", &fingerprint) ||
            !g_variant_lookup(result, "architecture", "&s", &architecture) ||
            !g_variant_lookup(result, "size", "t", &size) ||
            !g_variant_lookup(result, "created", "t", &created) ||
            !g_variant_lookup(result, "expires", "t", &expires) ||
            !g_variant_lookup(result, "unpacked", "b", &unpacked) ||
            !g_variant_lookup(result, "properties", "@a{ss}", &properties) ||
            !g_variant_lookup(result, "templates", "@" IMAGE_TEMPLATES_SIGNATURE, &templates) ||
            !name_is_fingerprint(fingerprint) || strlen(architecture) > 32)
                return error_set(ret_error, ERROR_FAILED,
                                 "The image worker's result is incomplete");
        if (image_check_properties(properties, ret_error) < 0)
                return -EBADMSG;

        g_free(data->fingerprint);
        data->fingerprint = g_strdup(fingerprint);
        data->unpacked = unpacked;
        image = image_new(fingerprint,
                          data->owner == UID_NOBODY ? job->object.owner : data->owner);
        image->size = size;
        image->created = created;
        image->expires = expires;
        image->uploaded = (uint64_t) g_get_real_time();
        image->public = data->public;
        g_free(image->architecture);
        image->architecture = g_strdup(architecture);
        g_free(image->filename);
        image->filename = g_strdup(data->filename);
        g_free(image->rootfs_filename);
        image->rootfs_filename = g_strdup(data->rootfs_filename ?: "");
        image->split = data->split;
        g_variant_unref(image->properties);
        image->properties = config_merge(properties, data->properties, NULL);
        g_variant_unref(image->templates);
        image->templates = TAKE_PTR(templates);
        if (unpacked && data->pool)
                image_set_unpacked(image, data->pool, true);
        *ret = TAKE_PTR(image);
        return 0;
}

/* Whether it is to be a new image; else what was unpacked is the other's. */
static int import_check_new(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *other = manager_find_image(job->manager, data->fingerprint);

        if (!other)
                return 0;
        data->unpacked = false;
        return error_set(ret_error, ERROR_EXISTS,
                         "This image is there already, with the fingerprint %.12s%s%s%s",
                         other->object.name, other->aliases[0] ? " and the alias \"" : "",
                         other->aliases[0] ?: "", other->aliases[0] ? "\"" : "");
}

int image_step_imported(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ImageJob *data = job->data;
        int r;

        r = image_from_result(job, result, &data->made, ret_error);
        return r < 0 ? r : import_check_new(job, ret_error);
}

int image_step_import(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Manager *m = job->manager;
        g_autofree char *spool = image_archive_path(m, data->spool, "");
        g_autofree char *rootfs = image_archive_path(m, data->spool, IMAGE_ROOTFS_SUFFIX);
        _cleanup_close_ int fd = TAKE_FD(data->fd), rootfs_fd = TAKE_FD(data->rootfs_fd);
        StoragePool *pool = data->pool ? manager_find_pool(m, data->pool) : NULL;
        const int fds[] = { fd, rootfs_fd };
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "spool", "s", spool);
        if (data->split)
                g_variant_dict_insert(&args, "rootfs-spool", "s", rootfs);
        image_put_spool(&args, job);
        if (data->expected)
                g_variant_dict_insert(&args, "expected", "s", data->expected);
        if (pool)
                step_put_pool(&args, m, pool);
        return job_run_worker(job, OPERATION_IMAGE_IMPORT, g_variant_dict_end(&args), fds,
                              data->split ? 2 : 1, image_step_imported, ret_error);
}

/* The worker cleans up after itself, but it may have been killed. */
int image_step_import_undo(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        int r = image_remove_archives(job->manager, data->spool, ret_error);

        if (r < 0)
                return r;
        (void) image_free(TAKE_PTR(data->made));
        if (!data->unpacked)
                return JOB_STEP_DONE;
        return image_step_delete_volume(job, data->fingerprint, data->pool, NULL, ret_error);
}

int image_take_alias(Manager *m, const char *alias, Error *ret_error) {
        GHashTableIter iter;
        Image *other;
        int r;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other)) {
                if (!image_has_alias(other, alias))
                        continue;
                image_remove_alias(other, alias);
                r = manager_save(m, &other->object, ret_error);
                if (r < 0) {
                        image_add_alias(other, alias);
                        return r;
                }
                manager_changed(m, &other->object);
        }
        return 0;
}

bool image_alias_is_free_for(Manager *m, const char *alias, uid_t uid) {
        GHashTableIter iter;
        Image *image;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image))
                if (image->object.owner != uid && image_has_alias(image, alias))
                        return false;
        return true;
}

int image_take_aliases(Job *job, Image *image, Error *ret_error) {
        ImageJob *data = job->data;
        int r;

        for (char **alias = data->aliases; alias && *alias; alias++)
                if (!data->take_aliases &&
                    !image_alias_is_free_for(job->manager, *alias, image->object.owner))
                        return error_set(ret_error, ERROR_EXISTS,
                                         "The alias \"%s\" is borne by an image of another user "
                                         "meanwhile", *alias);
        for (char **alias = data->aliases; alias && *alias; alias++) {
                r = image_take_alias(job->manager, *alias, ret_error);
                if (r < 0)
                        return r;
                image_add_alias(image, *alias);
        }
        return 0;
}

static int keep_archives(const ImageJob *data, int dir_fd) {
        g_autofree char *from = g_strconcat(data->spool, IMAGE_ROOTFS_SUFFIX, NULL);
        g_autofree char *to = g_strconcat(data->fingerprint, IMAGE_ROOTFS_SUFFIX, NULL);

        if (data->split && renameat(dir_fd, from, dir_fd, to) < 0)
                return -errno;
        if (renameat(dir_fd, data->spool, dir_fd, data->fingerprint) < 0 || fsync(dir_fd) < 0)
                return -errno;
        return 0;
}

int image_step_commit(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image = data->made;
        _cleanup_close_ int fd = image_open_archives(job->manager, ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = import_check_new(job, ret_error);
        if (r < 0)
                return r;
        r = keep_archives(data, fd);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot keep the archive");
        r = image_take_aliases(job, image, ret_error);
        if (r >= 0)
                r = manager_save(job->manager, &image->object, ret_error);
        if (r < 0) {
                (void) image_remove_archives(job->manager, data->fingerprint, NULL);
                return r;
        }
        data->made = NULL;
        manager_add(job->manager, &image->object);
        job_add_subject(job, OBJECT_IMAGE, image->object.name);
        return JOB_STEP_DONE;
}

static const JobStep import_steps[] = {
        { "Reading the archive", image_step_import, image_step_import_undo },
        { NULL, image_step_commit, NULL },
        { NULL },
};

int image_check_aliases(const char *const *aliases, Error *ret_error) {
        size_t n = 0;

        for (const char *const *alias = aliases; alias && *alias; alias++) {
                int r = name_check(NAME_ALIAS, *alias, ret_error);

                if (r < 0)
                        return r;
                if (++n > ALIASES_MAX)
                        return error_set(ret_error, ERROR_INVALID_ARGS, "More than %d aliases",
                                         ALIASES_MAX);
        }
        return 0;
}

/* --- importing: the call --- */

char *image_usual_pool(Manager *m) {
        Profile *profile = manager_find_profile(m, PROFILE_DEFAULT);
        const char *root, *name = NULL;
        GHashTableIter iter;
        StoragePool *pool;

        if (profile && devices_find_root(profile->devices, &root, &name, NULL) >= 0)
                pool = manager_find_pool(m, name);
        else {
                g_hash_table_iter_init(&iter, m->objects[OBJECT_POOL]);
                if (g_hash_table_size(m->objects[OBJECT_POOL]) != 1 ||
                    !g_hash_table_iter_next(&iter, NULL, (void **) &pool))
                        return NULL;
        }
        return pool && pool->state == POOL_AVAILABLE ? g_strdup(pool->object.name) : NULL;
}

static int check_filename(const char *name, Error *ret_error) {
        if (name && (strlen(name) > FILENAME_MAX_BYTES || strchr(name, '/')))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The file name is too long or holds a slash");
        return 0;
}

static int import_check(const ImageImport *args, Error *ret_error) {
        int r;

        r = archive_check_stream(args->archive, O_RDONLY, "reading", ret_error);
        if (r >= 0 && args->rootfs >= 0)
                r = archive_check_stream(args->rootfs, O_RDONLY, "reading", ret_error);
        if (r >= 0)
                r = image_check_aliases(args->aliases, ret_error);
        if (r >= 0 && args->properties)
                r = image_check_properties(args->properties, ret_error);
        if (r >= 0)
                r = check_filename(args->filename, ret_error);
        if (r >= 0)
                r = check_filename(args->rootfs_filename, ret_error);
        return r;
}

int image_import(Manager *m, Caller caller, const ImageImport *args, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = import_check(args, ret_error);
        if (r < 0)
                return r;
        data = image_job_new();
        data->spool = image_spool_name(m, caller.uid);
        data->pool = image_usual_pool(m);
        data->fd = fcntl(args->archive, F_DUPFD_CLOEXEC, 3);
        data->split = args->rootfs >= 0;
        if (data->split)
                data->rootfs_fd = fcntl(args->rootfs, F_DUPFD_CLOEXEC, 3);
        data->aliases = g_strdupv((char **) args->aliases);
        data->properties = args->properties ? g_variant_ref(args->properties) : config_empty();
        data->filename = g_strdup(args->filename ?: "");
        data->rootfs_filename = g_strdup(data->split && args->rootfs_filename ?
                                         args->rootfs_filename : "");
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        r = job_new(m, "image-import", caller.uid, import_steps, data, image_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0 || (data->split && data->rootfs_fd < 0))
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
}
