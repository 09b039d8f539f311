/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define PROC_FILE_MAX 65536U
#define TRACER_GRACE_SEC 2

int process_read_file(pid_t pid, const char *file, char **ret) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autoptr(GBytes) bytes = NULL;
        int r;

        r = fd < 0 ? -errno : fd_read_all(fd, PROC_FILE_MAX, &bytes);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        *ret = g_strndup(g_bytes_get_data(bytes, NULL) ?: "", g_bytes_get_size(bytes));
        return 0;
}

pid_t process_fork(int cgroup_fd, uint64_t flags, int *ret_pidfd) {
        int pidfd = -EBADF;
        struct clone_args args = {
                .flags = CLONE_PIDFD | flags | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
                .pidfd = (uintptr_t) &pidfd,
                .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
                .cgroup = cgroup_fd >= 0 ? (uint64_t) cgroup_fd : 0,
        };
        long pid = syscall(SYS_clone3, &args, sizeof(args));

        if (pid < 0)
                return -errno;
        if (pid > 0)
                *ret_pidfd = pidfd;
        return (pid_t) pid;
}

/* What waitid() would say; 1 when it has something to say. */
static int reap(int pidfd, siginfo_t *info, int flags) {
        info->si_pid = 0;
        while (waitid(P_PIDFD, (id_t) pidfd, info, WEXITED | flags) < 0)
                if (errno != EINTR)
                        return -errno;
        return info->si_pid > 0;
}

static int wait_for_exit(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* The process that traces the one behind the pidfd, 0 for none. */
static pid_t get_tracer(int pidfd) {
        static const char label[] = "\nTracerPid:\t";
        g_autofree char *status = NULL;
        const char *p;
        pid_t pid;

        if (fd_pidfd_get_pid(pidfd, &pid) < 0 || process_read_file(pid, "status", &status) < 0)
                return 0;
        p = strstr(status, label);
        return p ? (pid_t) g_ascii_strtoll(p + strlen(label), NULL, 10) : 0;
}

static void kill_tracer(int pidfd) {
        pid_t tracer = get_tracer(pidfd);
        _cleanup_close_ int tracer_pidfd = tracer > 0 ? fd_pidfd_open(tracer) : -EBADF;

        /* Still the one: its number has not come to belong to another. */
        if (tracer_pidfd >= 0 && get_tracer(pidfd) == tracer)
                (void) fd_pidfd_send_signal(tracer_pidfd, SIGKILL);
}

/* It has ended, but whoever traces it has the right to know first. One that does not take that
 * right for a while is killed, so that nobody inside a container can keep us waiting. */
static int reap_traced(int pidfd, siginfo_t *info) {
        const struct timespec timeout = { .tv_sec = TRACER_GRACE_SEC };
        sigset_t child, old;
        int r;

        (void) sigemptyset(&child);
        (void) sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &child, &old) < 0)
                return -errno;
        r = reap(pidfd, info, WNOHANG);
        if (r == 0) {
                (void) sigtimedwait(&child, NULL, &timeout);
                r = reap(pidfd, info, WNOHANG);
        }
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        if (r != 0)
                return r;
        kill_tracer(pidfd);
        return reap(pidfd, info, 0);
}

int process_reap(int pidfd, int *ret_status) {
        siginfo_t info = { 0 };
        int r;

        r = wait_for_exit(pidfd);
        if (r >= 0)
                r = reap(pidfd, &info, WNOHANG);
        if (r == 0)
                r = reap_traced(pidfd, &info);
        if (r < 0)
                return r;
        *ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                                 : W_EXITCODE(0, info.si_status);
        return 0;
}

int process_get_start_time(pid_t pid, uint64_t *ret) {
        g_autofree char *stat = NULL;
        g_auto(GStrv) fields = NULL;
        guint64 value;
        char *p;
        int r;

        r = process_read_file(pid, "stat", &stat);
        if (r < 0)
                return r;
        /* The name, field 2, may hold blanks and brackets; nothing behind it does. */
        p = strrchr(stat, ')');
        if (!p)
                return -EBADMSG;
        fields = g_strsplit(p + 1, " ", -1); /* fields[1] is field 3 */
        if (g_strv_length(fields) < 21 ||
            !g_ascii_string_to_unsigned(fields[20], 10, 0, UINT64_MAX, &value, NULL))
                return -EBADMSG;
        *ret = value;
        return 0;
}

int process_open_netns(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/ns/net", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int process_shares_userns(pid_t pid, bool *ret) {
        g_autofree char *path = g_strdup_printf("/proc/%d/ns/user", pid);
        struct stat theirs, ours;

        if (stat(path, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        *ret = theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
        return 0;
}

int process_handles_signal(pid_t pid, int signal, bool *ret) {
        static const char *const lines[] = { "\nSigBlk:\t", "\nSigCgt:\t" };
        g_autofree char *status = NULL;
        guint64 mask = 0;
        int r;

        r = process_read_file(pid, "status", &status);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                const char *p = strstr(status, lines[i]);

                if (p)
                        mask |= g_ascii_strtoull(p + strlen(lines[i]), NULL, 16);
        }
        *ret = mask & (UINT64_C(1) << (signal - 1));
        return 0;
}
