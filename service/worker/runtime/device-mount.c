/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-mount.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/mount-options.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/runtime/device-filesystem.h"
#include "service/worker/runtime/device-source.h"
#include "service/worker/thin-volume.h"
#include "service/worker/user-namespace.h"

#define MODE_DEFAULT 0660

/* --- disks --- */

/* Which ids are translated; *ret_map is NULL for none. The owner's files are root's inside, and
 * everybody else's nobody's; "shift" shows all ids as they are on disk, and so do volumes and
 * what is on a block device. */
static int disk_map(const DeviceContext *context, GVariant *options, bool is_own, IdMap **ret) {
        g_autoptr(IdMap) map = NULL;
        const struct passwd *owner;
        uint32_t uid, gid;
        int r;

        *ret = NULL;
        if (idmap_is_host(context->idmap))
                return 0;
        if (is_own || device_is_volume(options) || config_get(options, "shift")) {
                if (device_is_volume(options) || device_get_boolean(options, "shift", is_own))
                        *ret = idmap_copy(context->idmap);
                return 0;
        }
        owner = getpwuid(context->owner);
        if (!owner || !idmap_to_host(context->idmap, ID_USER, 0, &uid) ||
            !idmap_to_host(context->idmap, ID_GROUP, 0, &gid))
                return -ESRCH;
        map = idmap_new();
        r = idmap_add(map, ID_USER, (IdMapLine) { owner->pw_uid, uid, 1 });
        if (r >= 0)
                r = idmap_add(map, ID_GROUP, (IdMapLine) { owner->pw_gid, gid, 1 });
        if (r >= 0)
                *ret = TAKE_PTR(map);
        return r;
}

static int add_mount_options(GVariant *options, struct mount_attr *attributes) {
        const char *text = config_get(options, "raw.mount.options");
        uint64_t set, clear;
        int r = text ? mount_options_parse(text, &set, &clear, NULL) : 0;

        if (r < 0 || !text)
                return r;
        attributes->attr_set |= set;
        attributes->attr_clr |= clear;
        return 0;
}

/* `is_own`: the filesystem is the container's alone. */
static int set_attributes(int fd, const DeviceContext *context, GVariant *options, bool recursive,
                          bool is_own) {
        const char *propagation = config_get(options, "propagation");
        _cleanup_close_ int namespace_fd = -EBADF;
        /* Never shared with the host, or what the container mounts below it would appear there. */
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                .propagation = propagation && mount_propagation_follows(propagation) ? MS_SLAVE
                                                                                     : MS_PRIVATE,
        };
        g_autoptr(IdMap) map = NULL;
        int r;

        if (device_get_boolean(options, "readonly", false))
                attributes.attr_set |= MOUNT_ATTR_RDONLY;
        r = add_mount_options(options, &attributes);
        if (r < 0)
                return r;
        r = disk_map(context, options, is_own, &map);
        if (r < 0)
                return r;
        if (map) {
                namespace_fd = user_namespace_new(map);
                if (namespace_fd < 0)
                        return namespace_fd;
                attributes.attr_set |= MOUNT_ATTR_IDMAP;
                attributes.userns_fd = (uint64_t) namespace_fd;
        }
        if (mount_setattr(fd, "", (unsigned) (AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)),
                          &attributes, sizeof(attributes)) < 0)
                return -errno;
        return 0;
}

static int disk_error(const DeviceContext *context, const char *name, GVariant *options, int r,
                      Error *ret_error) {
        const char *source = config_get(options, "source");

        if (r == -EACCES || r == -EPERM)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "Device \"%s\" of container \"%s\": its owner, uid %u, may not "
                                 "read %s; an administrator can attach it with shift=true",
                                 name, context->container, context->owner, source);
        if (r == -ENODEV)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": %s is a device; use a device "
                                 "of type unix-char or unix-block, or for the filesystem on it its "
                                 "path below /dev",
                                 name, context->container, source);
        return error_set_errno(ret_error, -r, "Device \"%s\" of container \"%s\": cannot open %s",
                               name, context->container, source);
}

/* Volumes are in a directory that root alone may enter. */
static uid_t device_opener(const DeviceContext *context, GVariant *options) {
        bool as_root = device_is_volume(options) || config_get(options, "shift") ||
                       device_is_below_dev(options) ||
                       device_get_boolean(options, "recursive", false);

        return as_root ? 0 : context->owner;
}

static int idmap_error(const DeviceContext *context, const char *name, GVariant *options,
                       Error *ret_error) {
        const char *source = config_get(options, "source");

        if (device_is_volume(options))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Device \"%s\" of container \"%s\": the filesystem of storage "
                                 "pool \"%s\" cannot be mounted with other owners (idmapped), "
                                 "which volumes need; use a pool on ext4, xfs or btrfs",
                                 name, context->container, config_get(options, "pool"));
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "Device \"%s\" of container \"%s\": the filesystem of %s cannot be "
                         "mounted with other owners (idmapped); an administrator can attach it "
                         "with shift=false", name, context->container, source);
}

static int mount_filesystem(const DeviceContext *context, const char *name, GVariant *options,
                            int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = device_filesystem_mount(
                config_get(options, "source"), device_get_boolean(options, "readonly", false),
                ret_error);
        int r;

        if (fd < 0) {
                error_prefix(ret_error, "Device \"%s\" of container \"%s\"", name,
                             context->container);
                return fd;
        }
        r = set_attributes(fd, context, options, false, true);
        if (r == -EINVAL)
                return idmap_error(context, name, options, ret_error);
        if (r < 0)
                return disk_error(context, name, options, r, ret_error);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int device_mount_new(const DeviceContext *context, const char *name, GVariant *options,
                     int *ret_fd, bool *ret_directory, Error *ret_error) {
        bool recursive = device_get_boolean(options, "recursive", false);
        uid_t opener = device_opener(context, options);
        _cleanup_close_ int source = -EBADF, fd = -EBADF;
        struct stat st;
        int r;

        r = device_is_volume(options) ? thin_volume_show(config_get(options, "source")) : 0;
        if (r < 0)
                return disk_error(context, name, options, r, ret_error);
        source = device_source_open(config_get(options, "source"), opener);
        if (source == -ENOENT && !device_is_required(options)) {
                *ret_fd = -EBADF;
                return 0;
        }
        if (source == -ENODEV && device_is_below_dev(options)) {
                *ret_directory = true;
                return mount_filesystem(context, name, options, ret_fd, ret_error);
        }
        if (source < 0)
                return disk_error(context, name, options, source, ret_error);
        fd = open_tree(source, "", (unsigned) (AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                               (recursive ? AT_RECURSIVE : 0)));
        if (fd < 0 || fstat(source, &st) < 0)
                return disk_error(context, name, options, -errno, ret_error);
        r = set_attributes(fd, context, options, recursive, false);
        if (r == -EINVAL)
                return idmap_error(context, name, options, ret_error);
        if (r < 0)
                return disk_error(context, name, options, r, ret_error);
        *ret_directory = S_ISDIR(st.st_mode);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* --- nodes --- */

/* The ids of the host for its owner; false where the container has no such ids. */
static bool node_owner(const DeviceContext *context, GVariant *options, uid_t *ret_uid,
                       gid_t *ret_gid) {
        return idmap_to_host(context->idmap, ID_USER, device_get_number(options, "uid", 10, 0),
                             ret_uid) &&
               idmap_to_host(context->idmap, ID_GROUP, device_get_number(options, "gid", 10, 0),
                             ret_gid);
}

typedef struct Node {
        const DeviceNode *node;
        mode_t mode;
        uid_t uid;
        gid_t gid;
} Node;

/* A mount of one node alone. Before Linux 6.15 that can only be had of a filesystem that is mounted
 * where the caller is: one in memory, seen by nobody else, of which the node is all that stays when
 * the caller has gone. */
static int open_node(void *userdata) {
        static const char place[] = "/run", path[] = "/run/node";
        const Node *node = userdata;
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
            mount("node", place, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k") < 0 ||
            mknod(path, node->node->type | 0600, node->node->number) < 0 ||
            lchown(path, node->uid, node->gid) < 0 || chmod(path, node->mode) < 0)
                return -errno;
        fd = open_tree(AT_FDCWD, path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

static int make_node(const DeviceContext *context, GVariant *options, const DeviceNode *node) {
        Node made = { node, device_get_number(options, "mode", 8, MODE_DEFAULT), 0, 0 };

        if (!node_owner(context, options, &made.uid, &made.gid))
                return -EOVERFLOW;
        return device_source_from_child(open_node, &made);
}

static int check_owner(const DeviceContext *context, const char *name, GVariant *options,
                       Error *ret_error) {
        uid_t uid;
        gid_t gid;

        if (node_owner(context, options, &uid, &gid))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "Device \"%s\" of container \"%s\": its owner is beyond the ids that the "
                         "container has", name, context->container);
}

static int nothing_found(const DeviceContext *context, const char *name, GVariant *options,
                         Error *ret_error) {
        const char *source = config_get(options, "source") ?: config_get(options, "path");

        if (device_is_unix(options))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": there is no %s", name,
                                 context->container, source);
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "Device \"%s\" of container \"%s\": the host has no hardware of type %s "
                         "with its properties", name, context->container,
                         device_get_type(options));
}

int device_mount_find_nodes(const DeviceContext *context, const char *name, GVariant *options,
                            GPtrArray **ret, Error *ret_error) {
        const char *source = config_get(options, "source") ?: config_get(options, "path");
        g_autoptr(GPtrArray) nodes = NULL;
        int r;

        r = check_owner(context, name, options, ret_error);
        if (r < 0)
                return r;
        r = device_find(options, &nodes);
        if (r == -ENODEV && device_is_unix(options))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": %s is no %s device", name,
                                 context->container, source,
                                 g_str_equal(device_get_type(options), "unix-char") ? "character"
                                                                                    : "block");
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\" cannot be looked for",
                                       name, context->container);
        if (nodes->len == 0 && device_is_required(options))
                return nothing_found(context, name, options, ret_error);
        *ret = TAKE_PTR(nodes);
        return 0;
}

int device_mount_new_node(const DeviceContext *context, const char *name, GVariant *options,
                          const DeviceNode *node, Error *ret_error) {
        int r = make_node(context, options, node);

        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\": cannot make the node "
                                       "/%s", name, context->container, node->target);
        return r;
}
