/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/runtime/device-nodes.h"

#define STAGE_DIR "devices"

typedef struct Stage {
        int path_fd, fd;       /* of lxc_path, and the directory in it */
        const char *lxc_path;
        const DeviceContext *context;
        GPtrArray *entries;    /* lines for liblxc */
} Stage;

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

/* Mounts `fd` on a place of that name, and adds the line that takes it from there to `target`. */
static int stage_mount(const Stage *stage, const char *name, int fd, const char *target,
                       bool directory, bool recursive) {
        _cleanup_close_ int place = make_place(stage->fd, name, directory);
        g_autofree char *escaped = escape(target);

        if (place < 0)
                return place;
        if (move_mount(fd, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -errno;
        g_ptr_array_add(stage->entries,
                        g_strdup_printf("%s/" STAGE_DIR "/%s %s none %s,create=%s 0 0",
                                        stage->lxc_path, name, escaped,
                                        recursive ? "rbind" : "bind", directory ? "dir" : "file"));
        return 0;
}

static int stage_error(const Stage *stage, const char *device, int r, Error *ret_error) {
        return error_set_errno(ret_error, -r,
                               "Device \"%s\" of container \"%s\" cannot be made ready", device,
                               stage->context->container);
}

static int stage_disk(const Stage *stage, const char *device, GVariant *options,
                      Error *ret_error) {
        bool directory = false, recursive = device_get_boolean(options, "recursive", false);
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = device_mount_new(stage->context, device, options, &fd, &directory, ret_error);
        if (r < 0 || fd < 0)
                return r;
        r = stage_mount(stage, device, fd, device_get_target(options), directory, recursive);
        return r < 0 ? stage_error(stage, device, r, ret_error) : 0;
}

static int stage_node(const Stage *stage, const char *device, GVariant *options,
                      const DeviceNode *node, Error *ret_error) {
        g_autofree char *name = device_node_stage_name(node, device);
        _cleanup_close_ int fd = device_mount_new_node(stage->context, device, options, node,
                                                       ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = stage_mount(stage, name, fd, node->target, false, false);
        return r < 0 ? stage_error(stage, device, r, ret_error) : 0;
}

static int stage_nodes(const Stage *stage, const char *device, GVariant *options,
                       Error *ret_error) {
        g_autoptr(GPtrArray) nodes = NULL;
        int r;

        r = device_mount_find_nodes(stage->context, device, options, &nodes, ret_error);
        for (guint i = 0; r >= 0 && i < nodes->len; i++)
                r = stage_node(stage, device, options, nodes->pdata[i], ret_error);
        if (r < 0)
                return r;
        r = device_nodes_record(stage->path_fd, device, nodes);
        return r < 0 ? stage_error(stage, device, r, ret_error) : 0;
}

static int compare_targets(gconstpointer a, gconstpointer b, gpointer devices) {
        g_autoptr(GVariant) x = devices_get(devices, *(const char *const *) a);
        g_autoptr(GVariant) y = devices_get(devices, *(const char *const *) b);

        return g_strcmp0(device_get_target(x), device_get_target(y));
}

/* Names of the devices that are files, a parent before what is below it. */
static GPtrArray *list_files(GVariant *devices) {
        GPtrArray *names = g_ptr_array_new();
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                if (device_get_target(options) || device_has_nodes(options))
                        g_ptr_array_add(names, (char *) name);
                g_variant_unref(options);
        }
        g_ptr_array_sort_with_data(names, compare_targets, devices);
        return names;
}

/* The container's root passes on its way to what is mounted in it, and nobody else: each of these
 * mounts begins below directories that others may not enter. */
static int make_stage(int path_fd, const DeviceContext *context) {
        _cleanup_close_ int fd = path_make_dir(path_fd, STAGE_DIR, 0700);
        uint32_t gid;

        if (fd < 0)
                return fd;
        if (!idmap_to_host(context->idmap, ID_GROUP, 0, &gid))
                return -EINVAL;
        if (fchown(fd, 0, gid) < 0 || fchmod(fd, 0710) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int device_stage(int path_fd, const char *lxc_path, const DeviceContext *context,
                 GVariant *devices, GPtrArray *entries, Error *ret_error) {
        g_autoptr(GPtrArray) names = list_files(devices);
        _cleanup_close_ int stage_fd = -EBADF;
        Stage stage = { path_fd, -EBADF, lxc_path, context, entries };
        int r = 0;

        if (names->len == 0)
                return 0;
        stage_fd = make_stage(path_fd, context);
        if (stage_fd < 0)
                return error_set_errno(ret_error, -stage_fd,
                                       "Cannot make the devices of container \"%s\" ready",
                                       context->container);
        stage.fd = stage_fd;
        for (guint i = 0; r >= 0 && i < names->len; i++) {
                g_autoptr(GVariant) options = devices_get(devices, names->pdata[i]);

                r = (device_has_nodes(options) ? stage_nodes : stage_disk)(
                        &stage, names->pdata[i], options, ret_error);
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
