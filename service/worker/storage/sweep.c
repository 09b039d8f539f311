/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

/* Workers that were killed die as soon as the kernel is done with what they were at. */
#define LOCK_WAIT_SEC 5

static bool is_kept(const char *directory, const char *name, const char *const *kept) {
        for (; kept && *kept; kept++) {
                g_auto(GStrv) parts = g_strsplit(*kept, "/", 2);
                g_autofree char *aside = g_strdup_printf(".%s.old", parts[1] ?: "");

                if (g_str_equal(parts[0], directory) && g_str_equal(name, aside))
                        return true;
        }
        return false;
}

/* `levels` above 0: the volumes are that much further down, in directories of their own. */
static int sweep_directory(const PoolDriver *driver, int fd, int levels, bool all,
                           const char *directory, const char *const *kept) {
        g_autoptr(GPtrArray) names = NULL;
        int r;

        r = path_list_names(fd, &names);
        if (r < 0)
                return r;
        for (guint i = 0; i < names->len; i++) {
                const char *name = names->pdata[i];
                _cleanup_close_ int child_fd = -EBADF;

                if (levels > 0) {
                        child_fd = path_open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);
                        if (child_fd < 0 && child_fd != -ENOTDIR && child_fd != -ELOOP)
                                return child_fd;
                        if (child_fd >= 0)
                                r = sweep_directory(driver, child_fd, levels - 1, all, directory,
                                                    NULL);
                        if (r >= 0 && all)
                                r = path_remove_tree(fd, name);
                } else if (all || (name[0] == '.' && !is_kept(directory, name, kept)))
                        r = driver->remove(fd, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

int sweep_volumes(const PoolDriver *driver, int fd) {
        return sweep_directory(driver, fd, 0, true, "", NULL);
}

static int sweep(const PoolDriver *driver, int root_fd, bool all, const char *const *kept) {
        for (VolumeKind kind = 0; kind < _VOLUME_KIND_MAX; kind++) {
                const char *directory = volume_kind_directory(kind);
                _cleanup_close_ int fd = -EBADF;
                int r;

                fd = path_open_beneath(root_fd, directory, O_RDONLY | O_DIRECTORY, 0);
                if (fd == -ENOENT)
                        continue;
                r = fd < 0 ? fd
                           : sweep_directory(driver, fd, volume_kind_is_snapshot(kind), all,
                                             directory, kept);
                if (r < 0)
                        return r;
                if (all && unlinkat(root_fd, directory, AT_REMOVEDIR) < 0)
                        return -errno;
        }
        return 0;
}

static void on_alarm(int signal) {
}

/* -EINTR when it cannot be had in that time. */
static int lock_in_time(int fd) {
        const struct sigaction action = { .sa_handler = on_alarm }; /* flock() is not restarted */
        struct sigaction old;
        int r;

        if (sigaction(SIGALRM, &action, &old) < 0)
                return -errno;
        (void) alarm(LOCK_WAIT_SEC);
        r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
        (void) alarm(0);
        (void) sigaction(SIGALRM, &old, NULL);
        return r;
}

int sweep_unfinished(const PoolDriver *driver, int root_fd, const char *const *kept) {
        /* A lock of its own description, gone with it. */
        _cleanup_close_ int lock_fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (lock_fd < 0)
                return -errno;
        r = lock_in_time(lock_fd);
        if (r < 0)
                return r == -EINTR ? 0 : r;
        return sweep(driver, root_fd, false, kept);
}

int sweep_all(const PoolDriver *driver, int root_fd) {
        int r = path_remove_tree(root_fd, "records"); /* of berthd's, about what goes */

        return r < 0 ? r : sweep(driver, root_fd, true, NULL);
}
