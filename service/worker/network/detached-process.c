/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/detached-process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

#define PID_FILE_LENGTH_MAX 32
#define ARGUMENTS_LENGTH_MAX (128U << 10)
/* A process that is past its last instruction takes no time to go. */
#define EXIT_TIMEOUT_MSEC 1000
/* What the kernel appends to the name of a file that is no longer there. */
#define DELETED_SUFFIX " (deleted)"

void detached_process_clear(DetachedProcess *process) {
        process->pidfd = fd_close(process->pidfd);
        g_clear_pointer(&process->program, g_free);
        g_clear_pointer(&process->arguments, g_strfreev);
}

static int read_pid(int dir_fd, const char *name, pid_t *ret) {
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;
        guint64 pid;
        int r;

        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0)
                return fd;
        r = fd_read_all(fd, PID_FILE_LENGTH_MAX, &bytes);
        if (r < 0)
                return r == -E2BIG ? -ESRCH : r;
        if (g_bytes_get_size(bytes) == 0)
                return -ESRCH;
        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        if (!g_ascii_string_to_unsigned(g_strstrip(text), 10, 2, INT_MAX, &pid, NULL))
                return -ESRCH;
        *ret = (pid_t) pid;
        return 0;
}

/* The strings of /proc/PID/cmdline, each of which ends with a zero. */
static char **split_arguments(GBytes *bytes) {
        GPtrArray *arguments = g_ptr_array_new();
        gsize size;
        const char *data = g_bytes_get_data(bytes, &size);

        for (gsize i = 0; i < size; i += strnlen(data + i, size - i) + 1)
                g_ptr_array_add(arguments, g_strndup(data + i, size - i));
        g_ptr_array_add(arguments, NULL);
        return (char **) g_ptr_array_free(arguments, FALSE);
}

static int read_identity(DetachedProcess *process) {
        g_autofree char *path = g_strdup_printf("/proc/%d", (int) process->pid);
        g_autoptr(GBytes) bytes = NULL;
        char program[PATH_MAX];
        ssize_t n;
        int r;

        /* The directory stands for this one process: reading in it fails once that has ended. */
        _cleanup_close_ int proc = path_open_dir(path);
        if (proc < 0)
                return proc == -ENOENT ? -ESRCH : proc;
        r = detached_process_await_exit(process->pidfd, 0);
        if (r != -ETIMEDOUT)
                return r < 0 ? r : -ESRCH;

        n = readlinkat(proc, "exe", program, sizeof(program));
        if (n < 0 && errno == ENOENT) {
                /* It is about to end; its sockets are free only once it has. */
                (void) detached_process_await_exit(process->pidfd, EXIT_TIMEOUT_MSEC);
                return -ESRCH;
        }
        if (n < 0)
                return -errno;
        process->program = g_strndup(program, (size_t) n);

        _cleanup_close_ int fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        r = fd_read_all(fd, ARGUMENTS_LENGTH_MAX, &bytes);
        if (r < 0)
                return r;
        process->arguments = split_arguments(bytes);
        return 0;
}

int detached_process_from_pid_file(int dir_fd, const char *name, DetachedProcess *ret) {
        g_auto(DetachedProcess) process = DETACHED_PROCESS_INIT;
        int r;

        r = read_pid(dir_fd, name, &process.pid);
        if (r < 0)
                return r;
        process.pidfd = fd_pidfd_open(process.pid);
        if (process.pidfd < 0)
                return process.pidfd == -EINVAL ? -ESRCH : process.pidfd;
        r = read_identity(&process);
        if (r < 0)
                return r;
        *ret = process;
        process = DETACHED_PROCESS_INIT;
        return 0;
}

bool detached_process_runs(const DetachedProcess *process, const char *path) {
        g_autofree char *resolved = realpath(path, NULL);
        g_autofree char *replaced = resolved ? g_strconcat(resolved, DELETED_SUFFIX, NULL) : NULL;

        return resolved && (g_str_equal(process->program, resolved) ||
                            g_str_equal(process->program, replaced));
}

bool detached_process_is_outdated(const DetachedProcess *process) {
        return g_str_has_suffix(process->program, DELETED_SUFFIX);
}

int detached_process_await_exit(int pidfd, int timeout_msec) {
        gint64 deadline = g_get_monotonic_time() + timeout_msec * G_TIME_SPAN_MILLISECOND;

        for (;;) {
                struct pollfd p = { .fd = pidfd, .events = POLLIN };
                gint64 left = (deadline - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
                int n = poll(&p, 1, (int) MAX(left, 0));

                if (n > 0)
                        return 0;
                if (n == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

int detached_process_end(DetachedProcess *process, int timeout_msec) {
        static const int signals[] = { SIGTERM, SIGKILL };
        int r = -ETIMEDOUT;

        for (size_t i = 0; i < ELEMENTSOF(signals) && r == -ETIMEDOUT; i++) {
                r = fd_pidfd_send_signal(process->pidfd, signals[i]);
                if (r == -ESRCH)
                        return 0;
                if (r < 0)
                        return r;
                r = detached_process_await_exit(process->pidfd, timeout_msec);
        }
        return r;
}
