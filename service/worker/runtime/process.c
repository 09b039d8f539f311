/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define PROCESS_FILE_MAX (64U << 10)

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

void process_reset_signals(void) {
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int i = 1; i < _NSIG; i++)
                (void) sigaction(i, &action, NULL); /* fails for those that have no handler */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

int process_reap(int pidfd, int *ret_status) {
        siginfo_t info = { 0 };

        while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) < 0)
                if (errno != EINTR)
                        return -errno;
        *ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                                 : W_EXITCODE(0, info.si_status);
        return 0;
}

int process_write_oom_score_adj(int proc_fd, const char *value) {
        _cleanup_close_ int fd = openat(proc_fd, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));
}

int process_open(int pidfd, pid_t pid, Process *ret) {
        g_auto(Process) process = { .pid = pid, .pidfd = pidfd, .proc_fd = -EBADF };
        g_autofree char *path = g_strdup_printf("/proc/%d", pid);
        pid_t behind;
        int r;

        if (pidfd < 0)
                return -EBADF;
        process.proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process.proc_fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        /* Only now: the process lives still, so the directory was its own when it was opened. */
        r = fd_pidfd_get_pid(pidfd, &behind);
        if (r < 0)
                return r;
        if (behind != pid || !process_is_alive(&process))
                return -ESRCH;

        *ret = process;
        process = PROCESS_INIT;
        return 0;
}

int process_open_by_pid(pid_t pid, Process *ret) {
        int pidfd = fd_pidfd_open(pid);

        return pidfd < 0 ? pidfd : process_open(pidfd, pid, ret);
}

void process_close(Process *process) {
        process->pidfd = fd_close(process->pidfd);
        process->proc_fd = fd_close(process->proc_fd);
}

bool process_is_alive(const Process *process) {
        return fd_pidfd_send_signal(process->pidfd, 0) >= 0;
}

int process_read(const Process *process, const char *name, char **ret) {
        _cleanup_close_ int fd = openat(process->proc_fd, name, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd_read_text(fd, PROCESS_FILE_MAX, ret);
}

int process_read_status(const Process *process, const char *field, char **ret) {
        g_autofree char *text = NULL, *prefix = g_strdup_printf("%s:", field);
        g_auto(GStrv) lines = NULL;
        int r;

        r = process_read(process, "status", &text);
        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, prefix)) {
                        *ret = g_strstrip(g_strdup(*line + strlen(prefix)));
                        return 0;
                }
        return -ENODATA;
}

int process_read_parent(const Process *process, pid_t *ret) {
        g_autofree char *text = NULL;
        guint64 parent;
        int r;

        r = process_read_status(process, "PPid", &text);
        if (r < 0)
                return r;
        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &parent, NULL))
                return -EBADMSG;
        *ret = (pid_t) parent;
        return 0;
}

/* The next number of a line of blanks and numbers. */
static bool take_number(const char **p, uint32_t *ret) {
        char *end;
        guint64 n = g_ascii_strtoull(*p, &end, 10);

        if (end == *p || n > G_MAXUINT32)
                return false;
        *p = end;
        *ret = (uint32_t) n;
        return true;
}

int process_read_idmap(const Process *process, const char *name, GArray **ret) {
        g_autoptr(GArray) map = g_array_new(FALSE, FALSE, sizeof(IdMapLine));
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        int r;

        r = process_read(process, name, &text);
        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line && **line; line++) {
                const char *p = *line;
                IdMapLine l;

                if (!take_number(&p, &l.inside) || !take_number(&p, &l.outside) ||
                    !take_number(&p, &l.count))
                        return -EBADMSG;
                g_array_append_val(map, l);
        }
        *ret = TAKE_PTR(map);
        return 0;
}

static int check_base(const Process *process, const char *name, uint32_t base) {
        g_autoptr(GArray) map = NULL;
        int r;

        r = process_read_idmap(process, name, &map);
        if (r < 0)
                return r;
        for (guint i = 0; i < map->len; i++) {
                const IdMapLine *l = &g_array_index(map, IdMapLine, i);

                if (l->inside == 0)
                        return l->count > 0 && l->outside == base ? 0 : -EPERM;
        }
        return -EPERM;
}

static int check_namespaces(const Process *process) {
        g_autofree char *pids = NULL;
        struct stat theirs, ours;
        const char *last;
        int r;

        if (fstatat(process->proc_fd, "ns/user", &theirs, 0) < 0 ||
            stat("/proc/self/ns/user", &ours) < 0)
                return -errno;
        if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
                return -EPERM;

        r = process_read_status(process, "NSpid", &pids);
        if (r < 0)
                return r;
        last = strrchr(pids, '\t');
        return last && g_str_equal(last, "\t1") ? 0 : -EPERM;
}

int process_check_init(const Process *process, uint32_t uid_base, uint32_t gid_base,
                       Error *ret_error) {
        int r;

        r = check_namespaces(process);
        if (r >= 0)
                r = check_base(process, "uid_map", uid_base);
        if (r >= 0)
                r = check_base(process, "gid_map", gid_base);
        if (r == -EPERM)
                return error_set(ret_error, ERROR_FAILED,
                                 "Process %d is not the init of this container: its namespaces or "
                                 "id maps are not what the container was started with",
                                 process->pid);
        if (r == -ESRCH || r == -ENOENT || (r >= 0 && !process_is_alive(process)))
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read about process %d", process->pid);
        return 0;
}
