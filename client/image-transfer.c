/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/archive.h"
#include "client/commands.h"
#include "client/format.h"
#include "client/image.h"
#include "client/job.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

static int open_archive(const char *name, int *ret, Error *ret_error) {
        g_autofree char *shown = format_printable(name);
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (strstr(name, "://"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Cannot import '%s': images are downloaded by https alone; "
                                 "'curl -L URL | berth image import -' takes what curl can",
                                 shown);
        if (g_str_equal(name, "-")) {
                if (isatty(STDIN_FILENO))
                        return client_usage_error(ret_error,
                                                  "Cannot import an image from a terminal");
                fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        } else
                fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s'", shown);
        if (S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "'%s' is a directory; pack it first: tar --numeric-owner -C '%s' "
                                 "-cf - . | berth image import -",
                                 shown, shown);
        *ret = TAKE_FD(fd);
        return 0;
}

static int import_properties(Client *c, size_t first, GVariant **ret, Error *ret_error) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        for (size_t i = first; i < client_n_arguments(c); i++) {
                g_autofree char *key = NULL, *value = NULL;
                const char *text = client_argument(c, i);

                if (parse_assignment(text, &key, &value) < 0) {
                        g_autofree char *shown = format_printable(text);

                        g_variant_builder_clear(&b);
                        return client_usage_error(ret_error,
                                                  "'%s' is not KEY=VALUE, and an image has two "
                                                  "archives at most",
                                                  shown);
                }
                if (!g_utf8_validate(text, -1, NULL)) {
                        g_variant_builder_clear(&b);
                        return client_usage_error(ret_error, "Argument %zu is not valid UTF-8",
                                                  i + 1);
                }
                g_variant_builder_add(&b, "{ss}", key, value);
        }
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

static void add_filename(GVariantDict *options, const char *key, const char *name) {
        g_autofree char *base = g_path_get_basename(name);

        if (!g_str_equal(name, "-") && g_utf8_validate(base, -1, NULL))
                g_variant_dict_insert(options, key, "s", base);
}

/* `rootfs` may be NULL. */
static GVariant *import_options(Client *c, const char *name, const char *rootfs, int rootfs_fd,
                                GVariant *properties) {
        g_autoptr(GPtrArray) aliases = client_options(c, "alias");
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (aliases->len > 0)
                g_variant_dict_insert_value(
                        &options, "aliases",
                        g_variant_new_strv((const char *const *) aliases->pdata, aliases->len));
        if (client_flag(c, "public"))
                g_variant_dict_insert(&options, "public", "b", TRUE);
        if (g_variant_n_children(properties) > 0)
                g_variant_dict_insert_value(&options, "properties", properties);
        add_filename(&options, "filename", name);
        if (rootfs) {
                add_filename(&options, "rootfs-filename", rootfs);
                g_variant_dict_insert_value(&options, "rootfs", g_variant_new_handle(rootfs_fd));
        }
        return g_variant_dict_end(&options);
}

/* The second archive of a split image, or NULL. */
static const char *rootfs_argument(Client *c) {
        const char *argument = client_argument(c, 1);

        return argument && !strchr(argument, '=') ? argument : NULL;
}

/* Opens the archive and an fd of it to be passed on, both the caller's. */
static int pass_file(const char *name, Relay *relay, int *ret_archive, int *ret, Error *ret_error) {
        int r;

        r = open_archive(name, ret_archive, ret_error);
        return r < 0 ? r : archive_pass(*ret_archive, STREAM_INPUT, relay, ret, ret_error);
}

/* Waits for the job, and says what it has made. */
static int import_wait(Client *c, Job *job, Error *ret_error) {
        g_autoptr(GPtrArray) names = NULL;
        g_autoptr(GVariant) objects = NULL;
        int r;

        r = job_wait(job, ret_error);
        if (r >= 0)
                r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        names = object_names(objects);
        if (names->len == 0)
                return error_set(ret_error, ERROR_FAILED, "The service did not say what it made");
        client_say(c, "Image imported with fingerprint: %s",
                   (char *) g_ptr_array_index(names, 0));
        return 0;
}

/* The service downloads it itself. */
static int import_url(Client *c, const char *url, Error *ret_error) {
        g_autoptr(GPtrArray) aliases = client_options(c, "alias");
        g_autoptr(GVariant) properties = NULL;
        g_autoptr(Job) job = NULL;
        GVariantDict options;
        int r;

        r = import_properties(c, 1, &properties, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (aliases->len > 0)
                g_variant_dict_insert_value(
                        &options, "aliases",
                        g_variant_new_strv((const char *const *) aliases->pdata, aliases->len));
        if (client_flag(c, "public"))
                g_variant_dict_insert(&options, "public", "b", TRUE);
        if (g_variant_n_children(properties) > 0)
                g_variant_dict_insert_value(&options, "properties", properties);
        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "FetchImage",
                      g_variant_new("(s@a{sv})", url, g_variant_dict_end(&options)), &job,
                      ret_error);
        return r < 0 ? r : import_wait(c, job, ret_error);
}

int run_image_import(Client *c, Error *ret_error) {
        g_autoptr(GVariant) properties = NULL;
        _cleanup_close_ int archive = -EBADF, rootfs_archive = -EBADF;
        _cleanup_close_ int fd = -EBADF, rootfs_fd = -EBADF;
        const char *name = client_argument(c, 0), *rootfs = rootfs_argument(c);
        g_autoptr(Relay) relay = relay_new();
        g_autoptr(Job) job = NULL;
        int r;

        if (g_str_has_prefix(name, "https://"))
                return import_url(c, name, ret_error);
        r = import_properties(c, rootfs ? 2 : 1, &properties, ret_error);
        if (r >= 0)
                r = pass_file(name, relay, &archive, &fd, ret_error);
        if (r >= 0 && rootfs)
                r = pass_file(rootfs, relay, &rootfs_archive, &rootfs_fd, ret_error);
        if (r < 0)
                return r;
        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "ImportImage",
                      g_variant_new("(h@a{sv})", fd,
                                    import_options(c, name, rootfs, rootfs_fd, properties)),
                      &job, ret_error);
        fd = fd_close(fd);
        rootfs_fd = fd_close(rootfs_fd);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        return import_wait(c, job, ret_error);
}

/* What makes an archive of that name recognizable, such as "tar.xz"; NULL when it has nothing. */
static const char *archive_extension(const char *filename) {
        static const char *const extensions[] = {
                "tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz", "tar.zst", "tar.lzma",
                "tar.lz4", "squashfs",
        };

        for (size_t i = 0; i < ELEMENTSOF(extensions); i++) {
                g_autofree char *suffix = g_strconcat(".", extensions[i], NULL);

                if (g_str_has_suffix(filename, suffix))
                        return extensions[i];
        }
        return NULL;
}

/* Where an archive goes: into a directory under its fingerprint, or to the name given, each with
 * the extension that says what it is. Of a split image the metadata are meta-FINGERPRINT, the root
 * filesystem FINGERPRINT, or NAME.root. */
static char *export_path(const char *target, const Object *image, const char *part) {
        bool is_rootfs = g_str_equal(part, "rootfs");
        const char *filename = object_get_string(image, is_rootfs ? "RootfsFilename" : "Filename");
        const char *extension = archive_extension(filename);
        g_autofree char *base = NULL, *suffix = NULL, *name = NULL;

        name = g_strconcat(g_str_equal(part, "metadata") ? "meta-" : "", image->name, NULL);
        if (!target)
                base = g_strdup(name);
        else if (g_file_test(target, G_FILE_TEST_IS_DIR))
                base = g_build_filename(target, name, NULL);
        else
                base = g_strconcat(target, is_rootfs ? ".root" : "", NULL);
        suffix = g_strconcat(".", extension ?: "tar", NULL);
        if (!extension || g_str_has_suffix(base, suffix))
                return g_strdup(base);
        return g_strconcat(base, suffix, NULL);
}

static GVariant *part_options(const char *part) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (*part)
                g_variant_dict_insert(&options, "part", "s", part);
        return g_variant_dict_end(&options);
}

static int export_part(Client *c, const Object *image, const char *part, Error *ret_error) {
        g_autofree char *path = export_path(client_argument(c, 1), image, part);

        return archive_write_to_file(c, OBJECT_IMAGE, image->path, "Export", part_options(part),
                                     path, ret_error);
}

int run_image_export(Client *c, Error *ret_error) {
        g_autofree char *image = NULL;
        const char *target = client_argument(c, 1);
        g_autoptr(Object) o = NULL;
        bool split;
        int r;

        r = client_get_image_path(c, client_argument(c, 0), &image, ret_error);
        if (r >= 0)
                r = client_get_object(c, OBJECT_IMAGE, image, &o, ret_error);
        if (r < 0)
                return r;
        split = object_get_boolean(o, "Split");
        if (target && g_str_equal(target, "-")) {
                if (isatty(STDOUT_FILENO))
                        return client_usage_error(ret_error,
                                                  "Cannot export an image to a terminal");
                if (split)
                        return client_usage_error(ret_error, "This image is in two archives; "
                                                  "name a directory or file for them");
                return archive_write_to_fd(c, OBJECT_IMAGE, image, "Export", part_options(""),
                                           STDOUT_FILENO, ret_error);
        }
        r = export_part(c, o, split ? "metadata" : "", ret_error);
        if (r >= 0 && split)
                r = export_part(c, o, "rootfs", ret_error);
        if (r < 0)
                return r;
        client_say(c, "Image exported successfully!");
        return 0;
}
