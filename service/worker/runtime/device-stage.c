/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"

#define STAGE_DIR "devices"

/* A path as fstab(5) writes it, which is how liblxc reads it. */
static char *escape(const char *path) {
        GString *text = g_string_new(NULL);

        for (const char *p = path; *p; p++)
                if (strchr(" \t\n\\#", *p))
                        g_string_append_printf(text, "\\%03o", (unsigned char) *p);
                else
                        g_string_append_c(text, *p);
        return g_string_free(text, FALSE);
}

/* The place for a mount: a directory or an empty file. */
static int make_place(int stage_fd, const char *name, bool directory) {
        int fd;

        if (directory)
                return path_make_dir(stage_fd, name, 0700);
        fd = openat(stage_fd, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : fd;
}

static int stage_one(int stage_fd, const char *lxc_path, const DeviceContext *context,
                     const char *name, GVariant *options, GPtrArray *entries, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF, place = -EBADF;
        bool directory = false, recursive = device_get_boolean(options, "recursive", false);
        g_autofree char *target = NULL;
        int r;

        r = device_mount_new(context, name, options, &fd, &directory, ret_error);
        if (r < 0 || fd < 0)
                return r;
        r = place = make_place(stage_fd, name, directory);
        if (r >= 0 && move_mount(fd, "", place, "",
                                 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\" cannot be made ready",
                                       name, context->container);
        target = escape(device_get_target(options));
        g_ptr_array_add(entries, g_strdup_printf("%s/" STAGE_DIR "/%s %s none %s,create=%s 0 0",
                                                 lxc_path, name, target,
                                                 recursive ? "rbind" : "bind",
                                                 directory ? "dir" : "file"));
        return 0;
}

static int compare_targets(gconstpointer a, gconstpointer b, gpointer devices) {
        g_autoptr(GVariant) x = devices_get(devices, *(const char *const *) a);
        g_autoptr(GVariant) y = devices_get(devices, *(const char *const *) b);

        return strcmp(device_get_target(x), device_get_target(y));
}

/* Names of the devices that are files, a parent before what is below it. */
static GPtrArray *list_files(GVariant *devices) {
        GPtrArray *names = g_ptr_array_new();
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                if (device_get_target(options))
                        g_ptr_array_add(names, (char *) name);
                g_variant_unref(options);
        }
        g_ptr_array_sort_with_data(names, compare_targets, devices);
        return names;
}

int device_stage(int path_fd, const char *lxc_path, const DeviceContext *context,
                 GVariant *devices, GPtrArray *entries, Error *ret_error) {
        g_autoptr(GPtrArray) names = list_files(devices);
        _cleanup_close_ int stage_fd = -EBADF;
        int r = 0;

        if (names->len == 0)
                return 0;
        /* The container's root passes on its way to what is mounted in it. */
        stage_fd = path_make_dir(path_fd, STAGE_DIR, 0711);
        if (stage_fd < 0)
                return error_set_errno(ret_error, -stage_fd,
                                       "Cannot make the devices of container \"%s\" ready",
                                       context->container);
        for (guint i = 0; r >= 0 && i < names->len; i++) {
                g_autoptr(GVariant) options = devices_get(devices, names->pdata[i]);

                r = stage_one(stage_fd, lxc_path, context, names->pdata[i], options, entries,
                              ret_error);
        }
        if (r < 0)
                (void) device_unstage(path_fd);
        return r;
}

static int unmount_at(int dir_fd, const char *name) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", dir_fd, name);

        /* EINVAL: it is no mount. */
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                return -errno;
        return 0;
}

int device_unstage_one(int path_fd, const char *name) {
        _cleanup_close_ int fd = path_open_beneath(path_fd, STAGE_DIR, O_RDONLY | O_DIRECTORY, 0);

        if (!path_is_component(name))
                return -EINVAL;
        return fd == -ENOENT ? 0 : fd < 0 ? fd : unmount_at(fd, name);
}

int device_unstage(int path_fd) {
        _cleanup_close_ int fd = path_open_beneath(path_fd, STAGE_DIR, O_RDONLY | O_DIRECTORY, 0);
        struct dirent *entry;
        int r = 0;
        DIR *d;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        d = fdopendir(dup(fd));
        if (!d)
                return -errno;
        while ((entry = readdir(d))) {
                if (path_is_component(entry->d_name) && unmount_at(fd, entry->d_name) < 0)
                        r = -EBUSY;
        }
        (void) closedir(d);
        return r;
}
