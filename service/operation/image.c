/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define ALIASES_MAX 64
#define FILENAME_MAX_BYTES 255U

typedef struct ImageJob {
        ContainerJob source; /* publish: the container, locked; what shared steps look at */
        const char *snapshot; /* publish: "" for the container itself */
        char *compression;
        GVariant *templates;
        char *architecture;
        uint64_t expires;
        bool was_running;
        Image *image;     /* locked by the job, or NULL: not there yet, or not any more */
        char *spool;      /* name in archives/ */
        char *pool;       /* where it is unpacked while it is imported, or NULL */
        int fd;           /* archive or destination, -EBADF once it has been handed on */
        char **aliases;
        GVariant *properties;
        char *filename;
        bool public;
        bool take_aliases;
        char *fingerprint; /* of what was imported */
        bool unpacked;
} ImageJob;

static void image_job_free(void *p) {
        ImageJob *data = p;

        fd_close(data->fd);
        g_free(data->spool);
        g_free(data->pool);
        g_strfreev(data->aliases);
        g_clear_pointer(&data->properties, g_variant_unref);
        g_free(data->filename);
        g_free(data->fingerprint);
        g_free(data->compression);
        g_free(data->architecture);
        g_clear_pointer(&data->templates, g_variant_unref);
        container_job_free(p);
}

static int open_archives(Manager *m, Error *ret_error) {
        g_autofree char *path = g_build_filename(m->state_dir, "archives", NULL);
        int r = path_make_dirs(path, 0700);

        if (r >= 0)
                r = path_open_dir(path);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot open %s", path) : r;
}

static char *archive_path(Manager *m, const char *name) {
        return g_build_filename(m->state_dir, "archives", name, NULL);
}

void image_sweep(Manager *m) {
        _cleanup_close_ int fd = open_archives(m, NULL);
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                if (!path_is_component(entry->d_name) ||
                    record_dir_has(m->records[OBJECT_IMAGE], entry->d_name))
                        continue;
                log_notice("Removing archive %s, which no image owns.", entry->d_name);
                (void) path_remove_file(dirfd(d), entry->d_name);
        }
        (void) closedir(d);
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
            !g_variant_lookup(result, "templates", "@a(ssasa{ss}b)", &templates) ||
            !name_is_fingerprint(fingerprint) || strlen(architecture) > 32)
                return error_set(ret_error, ERROR_FAILED,
                                 "The image worker's result is incomplete");
        if (image_check_properties(properties, ret_error) < 0)
                return -EBADMSG;

        data->fingerprint = g_strdup(fingerprint);
        data->unpacked = unpacked;
        image = image_new(fingerprint, job->object.owner);
        image->size = size;
        image->created = created;
        image->expires = expires;
        image->uploaded = (uint64_t) g_get_real_time();
        image->public = data->public;
        g_free(image->architecture);
        image->architecture = g_strdup(architecture);
        g_free(image->filename);
        image->filename = g_strdup(data->filename);
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

static int import_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ImageJob *data = job->data;
        int r;

        r = image_from_result(job, result, &data->image, ret_error);
        return r < 0 ? r : import_check_new(job, ret_error);
}

static int import_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        g_autofree char *spool = archive_path(job->manager, data->spool);
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        StoragePool *pool = data->pool ? manager_find_pool(job->manager, data->pool) : NULL;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "spool", "s", spool);
        if (pool)
                step_put_pool(&args, job->manager, pool);
        return job_run_worker(job, OPERATION_IMAGE_IMPORT, g_variant_dict_end(&args), &fd, 1,
                              import_done, ret_error);
}

static int delete_volume(Job *job, const char *fingerprint, const char *pool_name,
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

/* The worker cleans up after itself, but it may have been killed. */
static int import_run_undo(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        _cleanup_close_ int fd = open_archives(job->manager, ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = path_remove_file(fd, data->spool);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot remove archives/%s", data->spool);
        (void) image_free(TAKE_PTR(data->image));
        if (!data->unpacked)
                return JOB_STEP_DONE;
        return delete_volume(job, data->fingerprint, data->pool, NULL, ret_error);
}

/* Takes the alias from the image that bears it. */
static int alias_take(Manager *m, const char *alias, Error *ret_error) {
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

static int import_take_aliases(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        int r;

        for (char **alias = data->aliases; alias && *alias; alias++)
                if (!data->take_aliases &&
                    !image_alias_is_free_for(job->manager, *alias, job->object.owner))
                        return error_set(ret_error, ERROR_EXISTS,
                                         "The alias \"%s\" is borne by an image of another user "
                                         "meanwhile", *alias);
        for (char **alias = data->aliases; alias && *alias; alias++) {
                r = alias_take(job->manager, *alias, ret_error);
                if (r < 0)
                        return r;
                image_add_alias(data->image, *alias);
        }
        return 0;
}

/* Archive, aliases and record in one step, so that nothing comes between the look whether the image
 * is there and its being there: the same archive may be imported several times at once. */
static int import_commit(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image = data->image;
        _cleanup_close_ int fd = open_archives(job->manager, ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = import_check_new(job, ret_error);
        if (r < 0)
                return r;
        if (renameat(fd, data->spool, fd, data->fingerprint) < 0 || fsync(fd) < 0)
                return error_set_errno(ret_error, errno, "Cannot keep the archive");
        r = import_take_aliases(job, ret_error);
        if (r >= 0)
                r = manager_save(job->manager, &image->object, ret_error);
        if (r < 0) {
                (void) path_remove_file(fd, data->fingerprint);
                return r;
        }
        data->image = NULL;
        manager_add(job->manager, &image->object);
        job_add_subject(job, OBJECT_IMAGE, image->object.name);
        return JOB_STEP_DONE;
}

static const JobStep import_steps[] = {
        { "Reading the archive", import_run, import_run_undo },
        { NULL, import_commit, NULL },
        { NULL },
};

static int check_aliases(const char *const *aliases, Error *ret_error) {
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

/* --- publishing --- */

static int publish_stop(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        if (*data->snapshot || !container_is_up(data->source.container))
                return JOB_STEP_DONE;
        data->was_running = true;
        return step_kill(job, ret_error);
}

static int publish_thaw(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        return *data->snapshot ? JOB_STEP_DONE : step_stop_thaw(job, ret_error);
}

static int publish_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        const Container *c = data->source.container;
        g_autofree char *spool = archive_path(job->manager, data->spool);
        StoragePool *pool;
        GVariantDict args;
        int r;

        r = step_wait_for_pool(job, c->pool, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, pool);
        g_variant_dict_insert(&args, "spool", "s", spool);
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "snapshot", "s", data->snapshot);
        g_variant_dict_insert(&args, "compression", "s", data->compression);
        g_variant_dict_insert(&args, "architecture", "s", data->architecture);
        g_variant_dict_insert(&args, "created", "t", (guint64) g_get_real_time());
        g_variant_dict_insert(&args, "expires", "t", data->expires);
        g_variant_dict_insert_value(&args, "properties", data->properties);
        g_variant_dict_insert_value(&args, "templates", data->templates);
        return job_run_worker(job, OPERATION_IMAGE_PUBLISH, g_variant_dict_end(&args), NULL, 0,
                              import_done, ret_error);
}

/* The container runs again, whatever becomes of the image. */
static int publish_restart(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        g_auto(Error) error = ERROR_INIT;
        Job *start;

        if (!data->was_running)
                return JOB_STEP_DONE;
        job_unlock(job, &data->source.container->object);
        if (container_start(job->manager, CALLER_SERVICE, data->source.container, &start,
                            &error) >= 0)
                job_start(start);
        else
                log_error("Container \"%s\" cannot be started again: %s",
                          data->source.container->object.name, error.message);
        return JOB_STEP_DONE;
}

static const JobStep publish_steps[] = {
        { NULL, publish_thaw, publish_restart },
        { "Stopping the container", publish_stop, NULL },
        { "Writing the image", publish_run, import_run_undo },
        { NULL, import_commit, NULL },
        { NULL, publish_restart, NULL },
        { NULL },
};

/* The properties of the image that the container came from, as it has them itself, and those that
 * are given. */
static GVariant *published_properties(GVariant *config, GVariant *given) {
        g_autoptr(GVariant) base = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "image."))
                        g_variant_builder_add(&builder, "{ss}", key + strlen("image."), value);
        base = g_variant_ref_sink(g_variant_builder_end(&builder));
        return config_merge(base, given, NULL);
}

static int check_compression(const char *name, Error *ret_error) {
        static const char *const known[] = { "gzip", "bzip2", "xz", "zstd", "none", NULL };

        if (g_strv_contains(known, name))
                return 0;
        return error_set(ret_error, ERROR_INVALID_ARGS,
                         "There is no compression \"%.40s\": gzip, bzip2, xz, zstd or none", name);
}

static int publish_check(const ImagePublish *args, Error *ret_error) {
        const Container *c = args->source;
        int r;

        r = check_aliases(args->aliases, ret_error);
        if (r >= 0 && args->properties)
                r = image_check_properties(args->properties, ret_error);
        if (r >= 0)
                r = check_compression(args->compression, ret_error);
        if (r < 0)
                return r;
        if (c->incomplete || c->state == CONTAINER_DELETING ||
            (args->snapshot && args->snapshot->state != SNAPSHOT_READY))
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        if (!args->snapshot && container_is_up(c) && !args->force)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is running; stop it first, publish a snapshot "
                                 "of it, or have it stopped and started again by force",
                                 c->object.name);
        return 0;
}

int image_publish(Manager *m, Caller caller, const ImagePublish *args, Job **ret,
                  Error *ret_error) {
        const Container *c = args->source;
        const Image *base = manager_find_image(m, c->image);
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = publish_check(args, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ImageJob, 1);
        data->fd = -EBADF;
        data->source.container = args->source;
        data->source.force = true;
        data->snapshot = args->snapshot ? snapshot_get_name(args->snapshot) : "";
        data->spool = g_strdup_printf(".%u.new", m->last_job_id + 1);
        data->aliases = g_strdupv((char **) args->aliases);
        data->properties = published_properties(args->snapshot ? args->snapshot->config : c->config,
                                                args->properties);
        data->filename = g_strdup("");
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        data->compression = g_strdup(args->compression);
        data->architecture = g_strdup(c->architecture);
        data->expires = args->expires;
        data->templates = base ? g_variant_ref(base->templates)
                               : g_variant_ref_sink(g_variant_new_array(
                                         g_variant_type_element(IMAGE_TEMPLATES_TYPE), NULL, 0));
        r = job_new(m, "image-publish", caller.uid, publish_steps, data, image_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &args->source->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- importing: the call --- */

/* The pool of the default profile, else the only one: most launches will want it there. */
static char *usual_pool(Manager *m) {
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

static int check_stream(int fd, int mode, const char *what, Error *ret_error) {
        int flags = fcntl(fd, F_GETFL);
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at the fd of the archive");
        if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The archive must be a regular file or a pipe");
        if ((flags & O_PATH) || ((flags & O_ACCMODE) != mode && (flags & O_ACCMODE) != O_RDWR))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The archive is not open for %s",
                                 what);
        return 0;
}

static int import_check(const ImageImport *args, Error *ret_error) {
        int r;

        r = check_stream(args->archive, O_RDONLY, "reading", ret_error);
        if (r >= 0)
                r = check_aliases(args->aliases, ret_error);
        if (r >= 0 && args->properties)
                r = image_check_properties(args->properties, ret_error);
        if (r < 0)
                return r;
        if (args->filename &&
            (strlen(args->filename) > FILENAME_MAX_BYTES || strchr(args->filename, '/')))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The file name is too long or holds a slash");
        return 0;
}

int image_import(Manager *m, Caller caller, const ImageImport *args, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = import_check(args, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ImageJob, 1);
        data->spool = g_strdup_printf(".%u.new", m->last_job_id + 1);
        data->pool = usual_pool(m);
        data->fd = fcntl(args->archive, F_DUPFD_CLOEXEC, 3);
        data->aliases = g_strdupv((char **) args->aliases);
        data->properties = args->properties ? g_variant_ref(args->properties) : config_empty();
        data->filename = g_strdup(args->filename ?: "");
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        r = job_new(m, "image-import", caller.uid, import_steps, data, image_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the archive's fd");
        job->sender = g_strdup(caller.sender);
        *ret = TAKE_PTR(job);
        return 0;
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
        g_autofree char *archive = archive_path(m, image->object.name);
        Job *other = manager_get_lock(m, &image->object);
        GVariantDict args;
        int r;

        if (image_is_unpacked(image, pool_name))
                return JOB_STEP_DONE;
        if (other && other != job)
                return job_wait_for(job, other);
        r = job_lock(job, &image->object, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, m, manager_find_pool(m, pool_name));
        g_variant_dict_insert(&args, "archive", "s", archive);
        g_variant_dict_insert(&args, "image", "s", image->object.name);
        return job_run_worker(job, OPERATION_IMAGE_UNPACK, g_variant_dict_end(&args), NULL, 0,
                              unpack_done, ret_error);
}

/* --- exporting --- */

static int export_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        g_autofree char *archive = archive_path(job->manager, data->fingerprint);
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

int image_export(Manager *m, Caller caller, Image *image, int archive, Job **ret,
                 Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ImageJob *data;
        int r;

        r = check_stream(archive, O_WRONLY, "writing", ret_error);
        if (r < 0)
                return r;
        data = g_new0(ImageJob, 1);
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
        job_repeat_step(job);
        return manager_save(job->manager, &data->image->object, ret_error);
}

static int delete_volumes(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        const char *pool = data->image->pools[0];

        if (!pool)
                return JOB_STEP_DONE;
        return delete_volume(job, data->image->object.name, pool, delete_volume_done, ret_error);
}

static int delete_archive(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image = data->image;
        _cleanup_close_ int fd = open_archives(job->manager, ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = path_remove_file(fd, image->object.name);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot remove the archive");
        r = manager_forget(job->manager, OBJECT_IMAGE, image->object.name, ret_error);
        if (r < 0)
                return r;
        data->image = NULL;
        manager_remove(job->manager, &image->object);
        return JOB_STEP_DONE;
}

static const JobStep delete_steps[] = {
        { NULL, delete_mark, NULL },
        { "Deleting the image", delete_volumes, NULL },
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
        data = g_new0(ImageJob, 1);
        data->fd = -EBADF;
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
        r = alias_take(m, alias, ret_error);
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

int image_update(Manager *m, Image *image, GVariant *set, GVariant *unset, const bool *public,
                 Error *ret_error) {
        g_autoptr(GVariant) old = NULL;
        bool old_public = image->public;
        int r;

        r = config_check_unique(set, "Image property", ret_error);
        if (r >= 0)
                r = image_check_properties(set, ret_error);
        if (r < 0)
                return r;
        old = image->properties;
        image->properties = config_merge(old, set, unset);
        if (public)
                image->public = *public;
        r = manager_save(m, &image->object, ret_error);
        if (r < 0) {
                g_variant_unref(image->properties);
                image->properties = TAKE_PTR(old);
                image->public = old_public;
                return r;
        }
        manager_changed(m, &image->object);
        return 0;
}
