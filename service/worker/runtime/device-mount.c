/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-mount.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/mount-options.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/runtime/device-source.h"
#include "service/worker/runtime/process.h"

#define MODE_DEFAULT 0660

/* --- a user namespace for the sake of its map --- */

static int write_map(int proc_fd, const char *file, uint32_t from, uint32_t to, uint32_t count) {
        g_autofree char *map = g_strdup_printf("%u %u %u\n", from, to, count);
        _cleanup_close_ int fd = openat(proc_fd, file, O_WRONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd_write_all(fd, map, strlen(map));
}

G_GNUC_NORETURN static void wait_to_be_killed(void) {
        for (;;)
                (void) pause();
}

typedef struct IdShift {
        uint32_t uid, uid_to, gid, gid_to, count;
} IdShift;

/* Ids on disk from `uid` on appear as those from `uid_to` on. */
static int open_user_namespace(const IdShift *shift) {
        _cleanup_close_ int pidfd = -EBADF, fd = -EBADF;
        g_auto(Process) process = PROCESS_INIT;
        int r, status;
        pid_t pid;

        pid = process_fork(-EBADF, CLONE_NEWUSER, &pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0)
                wait_to_be_killed();
        r = process_open(dup(pidfd), pid, &process);
        if (r >= 0)
                r = write_map(process.proc_fd, "uid_map", shift->uid, shift->uid_to, shift->count);
        if (r >= 0)
                r = write_map(process.proc_fd, "gid_map", shift->gid, shift->gid_to, shift->count);
        if (r >= 0) {
                fd = openat(process.proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
                r = fd < 0 ? -errno : 0;
        }
        (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        (void) process_reap(pidfd, &status);
        return r < 0 ? r : TAKE_FD(fd);
}

/* --- disks --- */

/* Which ids are translated: 1 and the map, or 0 for none. The owner's files are root's inside, and
 * everybody else's nobody's; "shift" shows all ids as they are on disk. */
static int disk_shift(const DeviceContext *context, GVariant *options, IdShift *ret) {
        const struct passwd *owner;

        if (context->uid_base == 0)
                return 0;
        if (config_get(options, "shift")) {
                *ret = (IdShift) { 0, context->uid_base, 0, context->gid_base, context->id_count };
                return device_get_boolean(options, "shift", false);
        }
        owner = getpwuid(context->owner);
        if (!owner)
                return -ESRCH;
        *ret = (IdShift) { owner->pw_uid, context->uid_base, owner->pw_gid, context->gid_base, 1 };
        return 1;
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

static int set_attributes(int fd, const DeviceContext *context, GVariant *options, bool recursive) {
        _cleanup_close_ int namespace_fd = -EBADF;
        /* Private, or what the container mounts below it would appear on the host. */
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                .propagation = MS_PRIVATE,
        };
        IdShift shift;
        int r;

        if (device_get_boolean(options, "readonly", false))
                attributes.attr_set |= MOUNT_ATTR_RDONLY;
        r = add_mount_options(options, &attributes);
        if (r < 0)
                return r;
        r = disk_shift(context, options, &shift);
        if (r < 0)
                return r;
        if (r > 0) {
                namespace_fd = open_user_namespace(&shift);
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

static bool is_required(GVariant *options) {
        return device_get_boolean(options, "required", true) &&
               !device_get_boolean(options, "optional", false);
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
                                 "of type unix-char or unix-block",
                                 name, context->container, source);
        return error_set_errno(ret_error, -r, "Device \"%s\" of container \"%s\": cannot open %s",
                               name, context->container, source);
}

static int new_disk(const DeviceContext *context, const char *name, GVariant *options, int *ret_fd,
                    bool *ret_directory, Error *ret_error) {
        bool recursive = device_get_boolean(options, "recursive", false);
        uid_t opener = config_get(options, "shift") || recursive ? 0 : context->owner;
        _cleanup_close_ int source = -EBADF, fd = -EBADF;
        struct stat st;
        int r;

        source = device_source_open(config_get(options, "source"), opener);
        if (source == -ENOENT && !is_required(options)) {
                *ret_fd = -EBADF;
                return 0;
        }
        if (source < 0)
                return disk_error(context, name, options, source, ret_error);
        fd = open_tree(source, "", (unsigned) (AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                               (recursive ? AT_RECURSIVE : 0)));
        if (fd < 0 || fstat(source, &st) < 0)
                return disk_error(context, name, options, -errno, ret_error);
        r = set_attributes(fd, context, options, recursive);
        if (r == -EINVAL)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Device \"%s\" of container \"%s\": the filesystem of %s "
                                 "cannot be mounted with other owners (idmapped); an "
                                 "administrator can attach it with shift=false",
                                 name, context->container, config_get(options, "source"));
        if (r < 0)
                return disk_error(context, name, options, r, ret_error);
        *ret_directory = S_ISDIR(st.st_mode);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* --- nodes --- */

/* Type and number: as given, or those of the host's node. */
static int node_number(GVariant *options, mode_t type, dev_t *ret) {
        const char *source = config_get(options, "source") ?: config_get(options, "path");
        struct stat st;

        if (config_get(options, "major")) {
                *ret = makedev(device_get_number(options, "major", 10, 0),
                               device_get_number(options, "minor", 10, 0));
                return 0;
        }
        if (stat(source, &st) < 0)
                return -errno;
        if ((st.st_mode & S_IFMT) != type)
                return -ENODEV;
        *ret = st.st_rdev;
        return 0;
}

/* A filesystem in memory, attached nowhere, on which device nodes work. */
static int new_tmpfs(void) {
        _cleanup_close_ int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
        int fd;

        if (context < 0 ||
            fsconfig(context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
            fsconfig(context, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
            fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? -errno : fd;
}

static int make_node(const DeviceContext *context, GVariant *options, mode_t type, dev_t number) {
        mode_t mode = device_get_number(options, "mode", 8, MODE_DEFAULT);
        uid_t uid = context->uid_base + device_get_number(options, "uid", 10, 0);
        gid_t gid = context->gid_base + device_get_number(options, "gid", 10, 0);
        _cleanup_close_ int tmpfs = new_tmpfs();
        int fd;

        if (tmpfs < 0)
                return tmpfs;
        if (mknodat(tmpfs, "node", type | 0600, number) < 0 ||
            fchownat(tmpfs, "node", uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            fchmodat(tmpfs, "node", mode, 0) < 0)
                return -errno;
        fd = open_tree(tmpfs, "node", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

static int new_node(const DeviceContext *context, const char *name, GVariant *options, int *ret_fd,
                    bool *ret_directory, Error *ret_error) {
        mode_t type = g_str_equal(device_get_type(options), "unix-char") ? S_IFCHR : S_IFBLK;
        const char *source = config_get(options, "source") ?: config_get(options, "path");
        dev_t number = 0;
        int r;

        if (device_get_number(options, "uid", 10, 0) >= context->id_count ||
            device_get_number(options, "gid", 10, 0) >= context->id_count)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": its owner is beyond the %u "
                                 "ids that the container has",
                                 name, context->container, context->id_count);
        r = node_number(options, type, &number);
        if (r == -ENOENT && !is_required(options)) {
                *ret_fd = -EBADF;
                return 0;
        }
        if (r == -ENODEV)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": %s is no %s device", name,
                                 context->container, source,
                                 type == S_IFCHR ? "character" : "block");
        if (r >= 0)
                r = make_node(context, options, type, number);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\": cannot make a node for "
                                       "%s", name, context->container, source ?: "it");
        *ret_directory = false;
        *ret_fd = r;
        return 0;
}

int device_mount_new(const DeviceContext *context, const char *name, GVariant *options,
                     int *ret_fd, bool *ret_directory, Error *ret_error) {
        if (device_is_unix(options))
                return new_node(context, name, options, ret_fd, ret_directory, ret_error);
        return new_disk(context, name, options, ret_fd, ret_directory, ret_error);
}
