/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define PROCESS_FILE_MAX (64U << 10)

void process_reset_signals(void) {
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int i = 1; i < _NSIG; i++)
                (void) sigaction(i, &action, NULL); /* fails for those that have no handler */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
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

/* Not ours, or ours where it is to have none of its own. */
static int check_userns(const Process *process, const IdMap *map) {
        bool ours;
        int r = process_shares_userns(process->pid, &ours);

        if (r < 0)
                return r;
        return ours == idmap_is_host(map) ? 0 : -EPERM;
}

static int check_map(const Process *process, const IdMap *map, IdKind kind, const char *file) {
        g_autofree char *text = NULL;
        int r = process_read(process, file, &text);

        if (r < 0)
                return r;
        return idmap_is_proc(map, kind, text) ? 0 : -EPERM;
}

int process_check_idmap(const Process *process, const IdMap *map) {
        int r = check_userns(process, map);

        if (r < 0 || idmap_is_host(map))
                return r;
        r = check_map(process, map, ID_USER, "uid_map");
        return r < 0 ? r : check_map(process, map, ID_GROUP, "gid_map");
}

static int check_is_first(const Process *process) {
        g_autofree char *pids = NULL;
        const char *last;
        int r;

        r = process_read_status(process, "NSpid", &pids);
        if (r < 0)
                return r;
        last = strrchr(pids, '\t');
        return last && g_str_equal(last, "\t1") ? 0 : -EPERM;
}

int process_enter(const Process *process, int namespaces) {
        bool ours;
        int r = process_shares_userns(process->pid, &ours);

        if (r < 0)
                return r;
        if (ours) /* the kernel lets nobody enter where he is */
                namespaces &= ~CLONE_NEWUSER;
        return setns(process->pidfd, namespaces) < 0 ? -errno : 0;
}

int process_check_init(const Process *process, const IdMap *map, Error *ret_error) {
        int r;

        r = check_is_first(process);
        if (r >= 0)
                r = process_check_idmap(process, map);
        /* What is left of one that has ended is nobody's init any more. */
        if (fd_pidfd_has_ended(process->pidfd))
                r = -ESRCH;
        if (r == -EPERM)
                return error_set(ret_error, ERROR_FAILED,
                                 "Process %d is not the init of this container: its namespaces or "
                                 "id maps are not what the container was started with",
                                 process->pid);
        if (r == -ESRCH || r == -ENOENT)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read about process %d", process->pid);
        return 0;
}
