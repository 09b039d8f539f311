/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/image-download.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "service/model/catalogue.h"
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/image-job.h"
#include "service/operation/settings.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define HOUR_USEC (3600 * (uint64_t) G_USEC_PER_SEC)

static uint64_t now_usec(void) {
        return (uint64_t) g_get_real_time();
}

/* --- what a server has --- */

static int read_catalogue(int fd, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) catalogue = NULL;
        g_autoptr(GBytes) bytes = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
                return error_set(ret_error, ERROR_FAILED, "The download worker gave no list");
        r = fd_read_all(fd, CATALOGUE_MAX, &bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the list of images");
        catalogue = g_variant_ref_sink(g_variant_new_from_bytes(CATALOGUE_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(catalogue))
                return error_set(ret_error, ERROR_FAILED,
                                 "The download worker's list makes no sense");
        r = catalogue_check(catalogue, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(catalogue);
        return 0;
}

/* Arguments of all that is asked of servers. */
static void begin_args(GVariantDict *args, const Manager *m) {
        GVariant *config = settings_get_config(m->settings);
        const char *proxy = config_get(config, "core.proxy_https");
        const char *except = config_get(config, "core.proxy_ignore_hosts");

        g_variant_dict_init(args, NULL);
        if (proxy)
                g_variant_dict_insert(args, "proxy", "s", proxy);
        if (proxy && except)
                g_variant_dict_insert(args, "proxy-except", "s", except);
}

static void put_server(GVariantDict *args, const ImageServer *server) {
        g_variant_dict_insert(args, "url", "s", server->url);
        g_variant_dict_insert(args, "protocol", "s",
                              image_server_protocol_to_string(server->protocol));
}

typedef struct ListJob {
        char *server;
        ImageListTold told;
        void *userdata;
} ListJob;

static void list_job_free(void *p) {
        ListJob *data = p;

        g_free(data->server);
        g_free(data);
}

static void list_tell(Job *job, GVariant *catalogue, const Error *error) {
        ListJob *data = job->data;
        ImageListTold told = data->told;

        data->told = NULL;
        if (told)
                told(catalogue, error, data->userdata);
}

static int list_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        g_autoptr(GVariant) catalogue = NULL;
        int r = read_catalogue(n_fds > 0 ? fds[0] : -EBADF, &catalogue, ret_error);

        if (r >= 0)
                list_tell(job, catalogue, NULL);
        return r;
}

static int list_run(Job *job, Error *ret_error) {
        ListJob *data = job->data;
        const ImageServer *server;
        GVariantDict args;
        int r;

        r = settings_get_image_server(job->manager->settings, data->server, &server, ret_error);
        if (r < 0)
                return r;
        begin_args(&args, job->manager);
        put_server(&args, server);
        return job_run_worker(job, OPERATION_DOWNLOAD_LIST, g_variant_dict_end(&args), NULL, 0,
                              list_done, ret_error);
}

static int list_undo(Job *job, Error *ret_error) {
        list_tell(job, NULL, &job->error);
        return JOB_STEP_DONE;
}

int image_server_list(Manager *m, Caller caller, const char *name, ImageListTold told,
                      void *userdata, Job **ret, Error *ret_error) {
        static const JobStep steps[] = {
                { "Asking the image server", list_run, list_undo },
                { NULL },
        };
        const ImageServer *server;
        ListJob *data;
        int r;

        r = settings_get_image_server(m->settings, name, &server, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ListJob, 1);
        *data = (ListJob) { g_strdup(name), told, userdata };
        r = job_new(m, "image-server-list", caller.uid, steps, data, list_job_free, ret,
                    ret_error);
        if (r >= 0)
                (*ret)->sender = g_strdup(caller.sender);
        return r;
}

/* --- one image: which --- */

/* The latest image that came from there by that name. */
static Image *find_from(Manager *m, const ImageJob *data) {
        Image *image, *found = NULL;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image))
                if (g_str_equal(image->server, data->server) &&
                    g_str_equal(image->remote_name, data->remote_name) &&
                    g_str_equal(image->architecture, data->architecture) &&
                    image->state == IMAGE_READY &&
                    (!found || image->refreshed > found->refreshed))
                        found = image;
        return found;
}

/* Whether it can be taken for what the server has. */
static bool is_fresh(Manager *m, const Image *image) {
        uint64_t hours = config_get_integer(settings_get_config(m->settings),
                                            "images.auto_update_interval");

        return image->auto_update && now_usec() - image->refreshed < hours * HOUR_USEC;
}

static void set_found(ImageJob *data, const Image *image) {
        g_free(data->fingerprint);
        data->fingerprint = g_strdup(image->object.name);
        data->found = true;
}

static void add_remote_aliases(ImageJob *data, GVariant *aliases) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        g_strv_builder_addv(builder, (const char **) data->aliases);
        for (gsize i = 0; i < g_variant_n_children(aliases); i++) {
                const char *alias;

                g_variant_get_child(aliases, i, "&s", &alias);
                if (!g_strv_contains((const char *const *) data->aliases, alias))
                        g_strv_builder_add(builder, alias);
        }
        g_strfreev(data->aliases);
        data->aliases = g_strv_builder_end(builder);
}

/* The server cannot be asked, but what it had lately is there. */
static int take_old(Job *job, const char *reason, Error *ret_error) {
        Image *image = find_from(job->manager, job->data);
        g_autofree char *text = NULL;

        if (!image)
                return error_set(ret_error, ERROR_BACKEND_FAILED, "%s", reason);
        text = g_strdup_printf("%s; the image %.12s is used, which came from there", reason,
                               image->object.name);
        job_warn(job, text);
        set_found(job->data, image);
        return 0;
}

static int look_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        g_autoptr(GVariant) catalogue = NULL, image = NULL, aliases = NULL;
        ImageJob *data = job->data;
        const char *reason;
        int r;

        if (g_variant_lookup(result, "unreachable", "&s", &reason))
                return take_old(job, reason, ret_error);
        r = read_catalogue(n_fds > 0 ? fds[0] : -EBADF, &catalogue, ret_error);
        if (r < 0)
                return r;
        if (g_variant_n_children(catalogue) != 1)
                return error_set(ret_error, ERROR_FAILED,
                                 "The download worker's list makes no sense");
        image = g_variant_get_child_value(catalogue, 0);
        data->asked = true;
        g_free(data->fingerprint);
        g_variant_get(image, "(s@asstta{ss}@a(sts))", &data->fingerprint, &aliases, NULL,
                      NULL, NULL, NULL, &data->files);
        if (data->copy_aliases)
                add_remote_aliases(data, aliases);
        return 0;
}

static int look_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Manager *m = job->manager;
        Image *image = data->cached && !data->replaces ? find_from(m, data) : NULL;
        const ImageServer *server;
        GVariantDict args;
        int r;

        if (image && is_fresh(m, image)) {
                set_found(data, image);
                return JOB_STEP_DONE;
        }
        r = settings_get_image_server(m->settings, data->server, &server, ret_error);
        if (r < 0)
                return r;
        data->url = g_strdup(server->url);
        begin_args(&args, job->manager);
        put_server(&args, server);
        g_variant_dict_insert(&args, "image", "s", data->remote_name);
        g_variant_dict_insert(&args, "architecture", "s", data->architecture);
        if (image)
                g_variant_dict_insert(&args, "tolerant", "b", TRUE);
        return job_run_worker(job, OPERATION_DOWNLOAD_LIST, g_variant_dict_end(&args), NULL, 0,
                              look_done, ret_error);
}

/* Who fetches the same, or NULL. */
static Job *find_fetcher(Job *job) {
        const ImageJob *data = job->data;
        GHashTableIter iter;
        Job *other;

        g_hash_table_iter_init(&iter, job->manager->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other)) {
                const ImageJob *its = other->data;

                if (other != job && other->steps == job->steps && !job_has_ended(other) &&
                    its->fetching && g_strcmp0(its->fingerprint, data->fingerprint) == 0)
                        return other;
        }
        return NULL;
}

/* An image that is there is not fetched, and one that another job fetches neither. */
static int claim_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image = manager_find_image(job->manager, data->fingerprint);
        Job *other;

        if (image && image->state == IMAGE_DELETING) {
                other = manager_get_lock(job->manager, &image->object);
                return other ? job_wait_for(job, other) :
                               error_set(ret_error, ERROR_BUSY,
                                         "Image %.12s is just being deleted", image->object.name);
        }
        if (image) {
                data->found = true;
                return JOB_STEP_DONE;
        }
        other = find_fetcher(job);
        if (other)
                return job_wait_for(job, other);
        data->fetching = true;
        return JOB_STEP_DONE;
}

/* --- one image: fetching --- */

static int fetch_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ImageJob *data = job->data;

        if (lseek(data->n_fetched == 0 ? data->fd : data->rootfs_fd, 0, SEEK_SET) < 0)
                return error_set_errno(ret_error, errno, "Cannot read what was downloaded");
        if (++data->n_fetched < (data->files ? g_variant_n_children(data->files) : 1))
                job_repeat_step(job);
        return 0;
}

/* Where the next archive is. */
static char *next_url(const ImageJob *data, uint64_t *ret_size) {
        const char *path;

        *ret_size = 0;
        if (!data->files)
                return g_strdup(data->url);
        g_variant_get_child(data->files, data->n_fetched, "(&st&s)", &path, ret_size, NULL);
        return g_strconcat(data->url, "/", path, NULL);
}

static int fetch_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        _cleanup_close_ int dir_fd = -EBADF;
        g_autofree char *url = NULL, *name = image_fetched_name(job, data->n_fetched);
        g_autofree char *spool = image_archive_path(job->manager, name, "");
        GVariantDict args;
        uint64_t size;
        int fd;

        if (data->found)
                return JOB_STEP_DONE;
        dir_fd = image_open_archives(job->manager, ret_error);
        if (dir_fd < 0)
                return dir_fd;
        fd = path_open_beneath(dir_fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot make a file for the archive");
        *(data->n_fetched == 0 ? &data->fd : &data->rootfs_fd) = fd;
        url = next_url(data, &size);
        begin_args(&args, job->manager);
        g_variant_dict_insert(&args, "url", "s", url);
        g_variant_dict_insert(&args, "size", "t", size);
        g_variant_dict_insert(&args, "spool", "s", spool);
        image_put_fetched(&args, job);
        return job_run_worker(job, OPERATION_DOWNLOAD_FETCH, g_variant_dict_end(&args), &fd, 1,
                              fetch_done, ret_error);
}

/* The names of what was fetched, or partly; the fds stay as long as they are read from. */
static int forget_fetched(Job *job, Error *ret_error) {
        const ImageJob *data = job->data;

        for (gsize i = 0; i <= data->n_fetched; i++) {
                g_autofree char *name = image_fetched_name(job, i);
                int r = image_remove_archives(job->manager, name, ret_error);

                if (r < 0)
                        return r;
        }
        return JOB_STEP_DONE;
}

static char *base_name(GVariant *files, gsize i) {
        const char *path;

        if (i >= g_variant_n_children(files))
                return g_strdup("");
        g_variant_get_child(files, i, "(&st&s)", &path, NULL, NULL);
        return g_path_get_basename(path);
}

static int import_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        if (data->found)
                return JOB_STEP_DONE;
        data->split = g_variant_n_children(data->files) > 1;
        g_free(data->filename);
        data->filename = base_name(data->files, 0);
        g_free(data->rootfs_filename);
        data->rootfs_filename = base_name(data->files, 1);
        data->expected = g_strdup(data->fingerprint);
        return image_step_import(job, ret_error);
}

static int import_undo(Job *job, Error *ret_error) {
        ImageJob *data = job->data;

        return data->found ? JOB_STEP_DONE : image_step_import_undo(job, ret_error);
}

/* --- one image: keeping it --- */

static void set_source(const ImageJob *data, Image *image) {
        g_free(image->server);
        image->server = g_strdup(data->server);
        g_free(image->remote_name);
        image->remote_name = g_strdup(data->remote_name);
        image->refreshed = now_usec();
}

/* What was asked for beside the image, of one that was there. A launch wants nothing of it; and who
 * does not own it may have it, but changes nothing. */
static int adopt(Job *job, Image *image, Error *ret_error) {
        ImageJob *data = job->data;
        bool mine = job->object.owner == image->object.owner || data->take_aliases;
        int r = 0;

        if (g_strcmp0(data->replaces, image->object.name) == 0) {
                image->refreshed = now_usec();
                return manager_save(job->manager, &image->object, ret_error);
        }
        if (data->cached && !data->replaces) {
                if (data->asked && g_str_equal(image->server, data->server) &&
                    g_str_equal(image->remote_name, data->remote_name))
                        image->refreshed = now_usec();
                return manager_save(job->manager, &image->object, ret_error);
        }
        if (!mine && (data->aliases[0] || data->auto_update || data->public))
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "Image %.12s is there already and another user's: it can be used, "
                                 "but is not yours to name or change", image->object.name);
        if (!mine)
                return 0;
        r = image_take_aliases(job, image, ret_error);
        if (r < 0)
                return r;
        /* Who asks for it by itself means to keep it. */
        image->cached = image->cached && data->cached;
        image->public = image->public || data->public;
        image->auto_update = image->auto_update || data->auto_update;
        set_source(data, image);
        return manager_save(job->manager, &image->object, ret_error);
}

static int keep_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Image *image;
        int r;

        if (!data->found) {
                image = data->made;
                image->cached = data->cached;
                image->auto_update = data->auto_update;
                image->last_used = data->last_used;
                set_source(data, image);
                r = image_step_commit(job, ret_error);
                data->fetching = false;
                return r;
        }
        image = manager_find_image(job->manager, data->fingerprint);
        if (!image)
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE,
                                 "Image %.12s was deleted meanwhile", data->fingerprint);
        r = adopt(job, image, ret_error);
        if (r < 0)
                return r;
        manager_changed(job->manager, &image->object);
        job_add_subject(job, OBJECT_IMAGE, image->object.name);
        return JOB_STEP_DONE;
}

/* The one that it takes the place of. It stays where something is being made of it, without a name
 * and to be deleted when it has not been used for a while. */
static int replace_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        Manager *m = job->manager;
        Image *old = data->replaces ? manager_find_image(m, data->replaces) : NULL;
        g_auto(Error) error = ERROR_INIT;
        Job *next;

        if (!old || g_str_equal(data->replaces, data->fingerprint))
                return JOB_STEP_DONE;
        old->cached = true;
        old->auto_update = false;
        (void) manager_save(m, &old->object, NULL);
        manager_changed(m, &old->object);
        if (image_delete(m, CALLER_SERVICE, old, &next, &error) >= 0)
                job_start(next);
        else
                log_notice("Image %.12s, which a later one replaces, stays for now: %s",
                           old->object.name, error.message);
        return JOB_STEP_DONE;
}

static const JobStep download_steps[] = {
        { "Asking the image server", look_run, NULL },
        { "Waiting for another download", claim_run, NULL },
        { "Downloading", fetch_run, forget_fetched },
        { NULL, forget_fetched, NULL },
        { "Reading the archive", import_run, import_undo },
        { NULL, keep_run, NULL },
        { NULL, replace_run, NULL },
        { NULL },
};

/* --- the calls --- */

static const char *host_architecture(struct utsname *host) {
        return uname(host) < 0 ? "" : host->machine;
}

static ImageJob *data_new(Manager *m, Caller caller, const char *server, const char *image,
                          const char *architecture) {
        struct utsname host;
        ImageJob *data = image_job_new();

        data->spool = image_spool_name(m, caller.uid);
        data->pool = image_usual_pool(m);
        data->server = g_strdup(server);
        data->remote_name = g_strdup(image);
        data->architecture = g_strdup(architecture ?: host_architecture(&host));
        data->properties = config_empty();
        data->filename = g_strdup("");
        data->rootfs_filename = g_strdup("");
        return data;
}

static int start_download(Manager *m, Caller caller, const char *operation, ImageJob *data,
                          Job **ret, Error *ret_error) {
        int r = job_new(m, operation, caller.uid, download_steps, data, image_job_free, ret,
                        ret_error);

        if (r >= 0)
                (*ret)->sender = g_strdup(caller.sender);
        return r;
}

int image_download(Manager *m, Caller caller, const ImageDownload *args, Job **ret,
                   Error *ret_error) {
        const ImageServer *server;
        ImageJob *data;
        int r;

        r = settings_get_image_server(m->settings, args->server, &server, ret_error);
        if (r >= 0)
                r = name_check(NAME_ALIAS, args->image, ret_error);
        if (r >= 0)
                r = image_check_aliases(args->aliases, ret_error);
        if (r < 0)
                return r;
        data = data_new(m, caller, server->name, args->image, args->architecture);
        data->aliases = args->aliases ? g_strdupv((char **) args->aliases) : g_new0(char *, 1);
        data->copy_aliases = args->copy_aliases;
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        data->cached = args->cached;
        data->auto_update = args->cached ?
                                    config_get_boolean(settings_get_config(m->settings),
                                                       "images.auto_update_cached") :
                                    args->auto_update;
        return start_download(m, caller, "image-copy", data, ret, ret_error);
}

int image_refresh(Manager *m, Caller caller, Image *image, Job **ret, Error *ret_error) {
        ImageJob *data;

        if (!*image->server)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Image %.12s came from no image server that could be asked for a "
                                 "later one", image->object.name);
        data = data_new(m, caller, image->server, image->remote_name, image->architecture);
        data->replaces = g_strdup(image->object.name);
        data->aliases = g_strdupv(image->aliases);
        data->public = image->public;
        data->cached = image->cached;
        data->auto_update = image->auto_update;
        data->last_used = image->last_used;
        /* They are the image's own, and whoever may refresh it may do so. */
        data->take_aliases = true;
        data->owner = image->object.owner;
        return start_download(m, caller, "image-refresh", data, ret, ret_error);
}

/* --- from anywhere --- */

static int locate_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ImageJob *data = job->data;
        const char *url, *hash;

        if (!g_variant_lookup(result, "url", "&s", &url) ||
            !g_variant_lookup(result, "hash", "&s", &hash) ||
            image_server_check_url(url, NULL) < 0 || (*hash && !name_is_fingerprint(hash)))
                return error_set(ret_error, ERROR_FAILED,
                                 "The download worker's result is incomplete");
        if (*hash)
                data->expected = g_strdup(hash);
        g_free(data->filename);
        data->filename = g_path_get_basename(url);
        g_free(data->url);
        data->url = g_strdup(url);
        return 0;
}

static int locate_run(Job *job, Error *ret_error) {
        ImageJob *data = job->data;
        GVariantDict args;

        begin_args(&args, job->manager);
        g_variant_dict_insert(&args, "url", "s", data->url);
        g_variant_dict_insert(&args, "architecture", "s", data->architecture);
        return job_run_worker(job, OPERATION_DOWNLOAD_LOCATE, g_variant_dict_end(&args), NULL, 0,
                              locate_done, ret_error);
}

static const JobStep fetch_steps[] = {
        { "Asking the server", locate_run, NULL },
        { "Downloading", fetch_run, forget_fetched },
        { NULL, forget_fetched, NULL },
        { "Reading the archive", image_step_import, image_step_import_undo },
        { NULL, image_step_commit, NULL },
        { NULL },
};

int image_fetch(Manager *m, Caller caller, const ImageFetch *args, Job **ret, Error *ret_error) {
        ImageJob *data;
        int r;

        r = image_server_check_url(args->url, ret_error);
        if (r >= 0)
                r = image_check_aliases(args->aliases, ret_error);
        if (r >= 0 && args->properties)
                r = image_check_properties(args->properties, ret_error);
        if (r < 0)
                return r;
        data = data_new(m, caller, "", "", NULL);
        data->url = g_strdup(args->url);
        data->aliases = g_strdupv((char **) args->aliases);
        data->public = args->public;
        data->take_aliases = args->take_aliases;
        if (args->properties) {
                g_variant_unref(data->properties);
                data->properties = g_variant_ref(args->properties);
        }
        r = job_new(m, "image-fetch", caller.uid, fetch_steps, data, image_job_free, ret,
                    ret_error);
        if (r >= 0)
                (*ret)->sender = g_strdup(caller.sender);
        return r;
}
