/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/cgroup-control.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/runtime/wait.h"
#include "service/worker/worker.h"

/* A process in an uninterruptible call can hold both up. */
#define FREEZE_TIMEOUT_USEC (10 * G_TIME_SPAN_SECOND)
#define KILL_TIMEOUT_USEC (10 * G_TIME_SPAN_SECOND)
/* Version 1 has no event for "frozen": the state moves when it is read. */
#define FREEZER_V1_INTERVAL_USEC (2 * G_TIME_SPAN_MILLISECOND)

static int write_file(int dir_fd, const char *name, const char *text) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_WRONLY, 0);

        return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
}

/* Whether a group's cgroup.events has the line; -ENODEV when the group has been removed. */
static int has_event(int events_fd, const char *line) {
        g_auto(GStrv) lines = NULL;
        char buffer[256];
        ssize_t n;

        n = pread(events_fd, buffer, sizeof(buffer) - 1, 0);
        if (n < 0)
                return -errno;
        buffer[n] = '\0';
        lines = g_strsplit(buffer, "\n", -1);
        return g_strv_contains((const char *const *) lines, line);
}

/* Tells of groups that are removed from a directory. The kernel delays events of a group that
 * follow each other closely, and forgets them when it is removed meanwhile. */
static int watch_removals(int dir_fd) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", dir_fd);
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        if (fd < 0 || inotify_add_watch(fd, path, IN_DELETE | IN_ONLYDIR) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static void drain(int fd) {
        char buffer[4096];

        while (read(fd, buffer, sizeof(buffer)) > 0)
                ;
}

/* Waits until a group's cgroup.events says so, e.g. "frozen 1". */
static int await_event(const CgroupHierarchy *h, const char *container, int dir_fd,
                       const char *line, int64_t deadline,
                       int (*wait)(struct pollfd *, size_t, int64_t)) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, "cgroup.events", O_RDONLY, 0);
        _cleanup_close_ int parent = cgroup_open_parent(h, container), watch = -EBADF;

        if (fd < 0)
                return fd == -ENOENT ? -ENODEV : fd;
        if (parent < 0)
                return parent == -ENOENT ? -ENODEV : parent;
        watch = watch_removals(parent);
        if (watch < 0)
                return watch;
        for (;;) {
                struct pollfd p[] = {
                        { .fd = fd, .events = POLLPRI },
                        { .fd = watch, .events = POLLIN },
                };
                int r = has_event(fd, line);

                if (r != 0)
                        return r < 0 ? r : 0;
                r = wait(p, ELEMENTSOF(p), deadline);
                if (r <= 0)
                        return r < 0 ? r : -ETIMEDOUT;
                if (p[1].revents)
                        drain(watch);
        }
}

int cgroup_is_frozen(const CgroupHost *host, const Process *process) {
        const CgroupHierarchy *h = host->unified ?: cgroup_find_controller(host, "freezer");
        g_autofree char *path = NULL, *name = NULL, *text = NULL;
        bool unified = h && h == host->unified;
        int r;

        if (!h)
                return 0;
        r = cgroup_read_path(h, process, &path);
        if (r < 0)
                return r;
        if (!*path)
                return 0; /* the root can't be frozen */
        name = g_strconcat(path, unified ? "/cgroup.events" : "/freezer.state", NULL);
        r = cgroup_read_file(h->fd, name, &text);
        if (r < 0)
                return r;
        return unified ? strstr(text, "frozen 1") != NULL : !g_str_has_prefix(text, "THAWED");
}

static int freeze_v1(const CgroupHost *host, const char *container, bool freeze) {
        const CgroupHierarchy *h = cgroup_find_controller(host, "freezer");
        int64_t deadline = wait_deadline(FREEZE_TIMEOUT_USEC);
        const char *wanted = freeze ? "FROZEN" : "THAWED";
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!h)
                return -EOPNOTSUPP;
        fd = cgroup_open_group(h, CGROUP_PAYLOAD, container);
        if (fd < 0)
                return fd;
        r = write_file(fd, "freezer.state", wanted);
        if (r < 0)
                return r;
        for (;;) {
                g_autofree char *state = NULL;

                r = cgroup_read_file(fd, "freezer.state", &state);
                if (r < 0)
                        return r;
                if (g_str_has_prefix(state, wanted))
                        return 0;
                if (g_get_monotonic_time() > deadline)
                        return -ETIMEDOUT;
                r = wait_poll(NULL, 0, wait_deadline(FREEZER_V1_INTERVAL_USEC));
                if (r < 0)
                        return r;
        }
}

static int freeze_v2(const CgroupHost *host, const char *container, bool freeze) {
        _cleanup_close_ int fd = cgroup_open_group(host->unified, CGROUP_PAYLOAD, container);
        int r;

        if (fd < 0)
                return fd;
        r = write_file(fd, "cgroup.freeze", freeze ? "1" : "0");
        if (r < 0)
                return r;
        return await_event(host->unified, container, fd, freeze ? "frozen 1" : "frozen 0",
                           wait_deadline(FREEZE_TIMEOUT_USEC), wait_poll);
}

static int set_frozen(const CgroupHost *host, const char *container, bool freeze) {
        return host->unified ? freeze_v2(host, container, freeze)
                             : freeze_v1(host, container, freeze);
}

int cgroup_freeze(const CgroupHost *host, const char *container, bool freeze, Error *ret_error) {
        int r = set_frozen(host, container, freeze);

        if (r >= 0)
                return 0;
        if (freeze)
                (void) set_frozen(host, container, false);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r == -ENOENT || r == -ENODEV)
                return error_set(ret_error, ERROR_NOT_RUNNING, "Container \"%s\" does not run",
                                 container);
        if (r == -ETIMEDOUT)
                return error_set(
                        ret_error, ERROR_TIMED_OUT,
                        "A process of container \"%s\" is stuck in the kernel and can't be "
                        "%s; try again later",
                        container, freeze ? "frozen" : "thawed");
        return error_set_errno(ret_error, -r, "Cannot %s container \"%s\"",
                               freeze ? "freeze" : "thaw", container);
}

/* SIGKILL to what is in the group now; *ret is how many processes that were. */
static int kill_listed(const CgroupHost *host, CgroupKind kind, const char *container,
                       int64_t deadline, guint *ret) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(host, kind, container, &pids);
        if (r < 0)
                return r;
        for (guint i = 0; i < pids->len; i++) {
                g_auto(Process) process = PROCESS_INIT;
                struct pollfd p;

                /* Who left the group since, or whose number is another's now, is not meant. */
                if (process_open_by_pid(g_array_index(pids, pid_t, i), &process) < 0 ||
                    cgroup_has_process(host, kind, container, &process) <= 0)
                        continue;
                (void) fd_pidfd_send_signal(process.pidfd, SIGKILL);
                p = (struct pollfd) { .fd = process.pidfd, .events = POLLIN };
                if (wait_poll_stubborn(&p, 1, deadline) == 0)
                        return -ETIMEDOUT;
        }
        *ret = pids->len;
        return 0;
}

static int kill_all(const CgroupHost *host, CgroupKind kind, const char *container) {
        int64_t deadline = wait_deadline(KILL_TIMEOUT_USEC);
        guint n;
        int r;

        if (host->unified) {
                _cleanup_close_ int fd = cgroup_open_group(host->unified, kind, container);

                if (fd == -ENOENT)
                        return 0;
                if (fd < 0)
                        return fd;
                r = write_file(fd, "cgroup.kill", "1");
                if (r >= 0)
                        return await_event(host->unified, container, fd, "populated 0", deadline,
                                           wait_poll_stubborn);
                if (r != -ENOENT)
                        return r;
        }

        /* Version 1 (or Linux before 5.14). What is frozen there does not even die. */
        if (!host->unified && kind == CGROUP_PAYLOAD)
                (void) freeze_v1(host, container, false);
        do {
                r = kill_listed(host, kind, container, deadline, &n);
                if (r >= 0 && n > 0 && g_get_monotonic_time() > deadline)
                        r = -ETIMEDOUT;
        } while (r >= 0 && n > 0);
        return r;
}

int cgroup_kill(const CgroupHost *host, CgroupKind kind, const char *container, Error *ret_error) {
        int r = kill_all(host, kind, container);

        if (r == -ENODEV)
                return 0; /* the monitor has removed the group meanwhile */
        if (r == -ETIMEDOUT)
                return error_set(
                        ret_error, ERROR_TIMED_OUT,
                        "A process of container \"%s\" is stuck in the kernel and does not "
                        "die; try again later",
                        container);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot kill the processes of container \"%s\"", container);
        return 0;
}

/* The name of some group below the directory; NULL when there is none. */
static int first_child(int fd, char **ret) {
        _cleanup_close_ int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        DIR *dir;

        if (own < 0)
                return -errno;
        dir = fdopendir(own);
        if (!dir)
                return -errno;
        TAKE_FD(own);
        *ret = NULL;
        while (!*ret && (entry = readdir(dir)))
                if (entry->d_type == DT_DIR && path_is_component(entry->d_name))
                        *ret = g_strdup(entry->d_name);
        (void) closedir(dir);
        return 0;
}

/* The root of a container can nest its groups as deep as it likes, so this climbs up and down the
 * tree with one fd, remembering only the names. Groups can't be moved and hold no links, so ".."
 * leads where it came from. */
static int remove_group(int parent_fd, const char *name) {
        _cleanup_close_ int current = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *next = g_strdup(name);

        if (current < 0)
                return -errno;
        for (;;) {
                int fd, r;

                if (next) {
                        fd = path_open_beneath(current, next, O_RDONLY | O_DIRECTORY, 0);
                        if (fd < 0 && fd != -ENOENT)
                                return fd;
                        if (fd >= 0) {
                                fd_close(current);
                                current = fd;
                                g_ptr_array_add(names, TAKE_PTR(next));
                        } else if (names->len == 0)
                                return 0;
                } else {
                        g_autofree char *leaf = g_ptr_array_steal_index(names, names->len - 1);

                        fd = openat(current, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                        if (fd < 0)
                                return -errno;
                        fd_close(current);
                        current = fd;
                        if (unlinkat(current, leaf, AT_REMOVEDIR) < 0 && errno != ENOENT)
                                return -errno;
                        if (names->len == 0)
                                return 0;
                }
                g_clear_pointer(&next, g_free);
                r = first_child(current, &next);
                if (r < 0)
                        return r;
        }
}

int cgroup_remove(const CgroupHost *host, CgroupKind kind, const char *container) {
        g_autofree char *path = cgroup_name(host, kind, container);
        g_autofree char *name = g_path_get_basename(path);
        int result = 0;

        for (guint i = 0; i < host->hierarchies->len; i++) {
                _cleanup_close_ int parent =
                        cgroup_open_parent(g_ptr_array_index(host->hierarchies, i), container);
                int r = parent < 0 ? parent : remove_group(parent, name);

                if (r == -ENOENT || r == -ENODEV)
                        continue; /* systemd has removed the empty scope with all in it */
                if (r < 0 && result >= 0)
                        result = r;
        }
        return result;
}
