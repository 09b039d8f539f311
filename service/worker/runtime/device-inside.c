/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/wait.h"

#define INSIDE_TIMEOUT_USEC (5 * G_TIME_SPAN_SECOND)

/* --- the child --- */

static int enter(const Process *init, int namespaces) {
        int r = process_enter(init, namespaces);

        if (r < 0)
                return r;
        if (namespaces & CLONE_NEWUSER &&
            (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return -errno;
        umask(0022);
        return 0;
}

int device_inside_run(const Process *init, int namespaces, DeviceInsideFunc func, void *userdata) {
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd p = { .events = POLLIN };
        int r, status;
        pid_t pid;

        pid = process_fork(-EBADF, 0, &pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0) {
                r = enter(init, namespaces);
                _exit(-(r < 0 ? r : func(userdata)));
        }
        p.fd = pidfd;
        r = wait_poll_stubborn(&p, 1, wait_deadline(INSIDE_TIMEOUT_USEC));
        if (r <= 0)
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        if (process_reap(pidfd, &status) < 0)
                return -ECHILD;
        if (r == 0)
                return -ETIMEDOUT;
        return r < 0 ? r : WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* --- paths inside --- */

typedef struct Place {
        const char *target;
        bool directory;
        int mount_fd;
} Place;

/* One component; unlike in trees of ours, mounts may be crossed: /dev is one. */
static int open_component(int dir_fd, const char *name, int flags) {
        struct open_how how = {
                .flags = (uint64_t) (flags | O_PATH | O_NOFOLLOW | O_CLOEXEC),
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd = (int) syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

/* Opens the directory that the target is in; *ret_name is the last component, in `parts`. */
static int open_parent(char **parts, bool create, const char **ret_name) {
        _cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const char *name = NULL;

        if (fd < 0)
                return -errno;
        for (char **part = parts; *part; part++) {
                int next;

                if (**part == '\0')
                        continue;
                if (name) {
                        if (create && mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
                                return -errno;
                        next = open_component(fd, name, O_DIRECTORY);
                        if (next < 0)
                                return next;
                        (void) close(fd);
                        fd = next;
                }
                name = *part;
        }
        if (!name)
                return -EINVAL;
        *ret_name = name;
        return TAKE_FD(fd);
}

static int make_place(int parent, const char *name, bool directory) {
        if (directory)
                return mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
        if (mknodat(parent, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static int place_inside(void *userdata) {
        const Place *place = userdata;
        g_auto(GStrv) parts = g_strsplit(place->target, "/", -1);
        _cleanup_close_ int parent = -EBADF, fd = -EBADF;
        const char *name;
        int r;

        r = parent = open_parent(parts, true, &name);
        if (r >= 0)
                r = make_place(parent, name, place->directory);
        if (r >= 0)
                r = fd = open_component(parent, name, place->directory ? O_DIRECTORY : 0);
        if (r < 0)
                return r;
        if (move_mount(place->mount_fd, "", fd, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

int device_inside_place(const Process *init, int mount_fd, const char *target, bool directory) {
        Place place = { target, directory, mount_fd };

        return device_inside_run(init, CLONE_NEWUSER | CLONE_NEWNS, place_inside, &place);
}

int device_inside_error(const char *container, const char *device, const char *target, int r,
                        Error *ret_error) {
        if (r == -ELOOP || r == -ENOTDIR || r == -EXDEV)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": the way to /%s inside leads "
                                 "through a link, or through what is no directory",
                                 device, container, target);
        return error_set_errno(ret_error, -r,
                               "Device \"%s\" of container \"%s\" cannot be put at /%s", device,
                               container, target);
}

/* --- the end of it --- */

static int remove_inside(void *userdata) {
        const Place *place = userdata;
        g_auto(GStrv) parts = g_strsplit(place->target, "/", -1);
        _cleanup_close_ int parent = -EBADF;
        const char *name;
        struct statx st;

        parent = open_parent(parts, false, &name);
        if (parent < 0)
                return parent == -ENOENT || parent == -ENOTDIR || parent == -ELOOP ? 0 : parent;
        if (statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return 0;
        /* Relative to a directory that is held, because a path could change its meaning. */
        if (fchdir(parent) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                return -errno;
        if (statx(parent, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE, &st) >= 0 &&
            S_ISREG(st.stx_mode) && st.stx_size == 0)
                (void) unlinkat(parent, name, 0);
        return 0;
}

int device_inside_remove(const Process *init, const char *target) {
        Place place = { target, false, -EBADF };

        return device_inside_run(init, CLONE_NEWUSER | CLONE_NEWNS, remove_inside, &place);
}
