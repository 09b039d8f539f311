/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/exec-session.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/terminal.h"
#include "service/worker/runtime/wait.h"

/* From SIGHUP to SIGKILL: below what berthd leaves to a cancelled worker. */
#define HANGUP_USEC (2 * G_TIME_SPAN_SECOND)
/* A process may fork while its session is being killed. */
#define SESSION_SWEEPS_MAX 16

/* The session of a process: field 6 of /proc/PID/stat, the fourth after the program's name, which
 * may hold anything. */
static int read_session(const Process *process, pid_t *ret) {
        g_autofree char *text = NULL;
        g_auto(GStrv) fields = NULL;
        char *end;
        guint64 n;
        int r;

        r = process_read(process, "stat", &text);
        if (r < 0)
                return r;
        end = strrchr(text, ')');
        if (!end)
                return -EBADMSG;
        fields = g_strsplit(g_strchug(end + 1), " ", 5);
        if (g_strv_length(fields) < 5 ||
            !g_ascii_string_to_unsigned(fields[3], 10, 0, G_MAXINT32, &n, NULL))
                return -EBADMSG;
        *ret = (pid_t) n;
        return 0;
}

/* Signals all processes of the session; returns how many that were. */
static unsigned signal_session(pid_t session, int signal) {
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        unsigned n = 0;

        while (dir && (entry = readdir(dir))) {
                g_auto(Process) process = PROCESS_INIT;
                guint64 pid;
                pid_t s;

                if (!g_ascii_string_to_unsigned(entry->d_name, 10, 1, G_MAXINT32, &pid, NULL) ||
                    process_open_by_pid((pid_t) pid, &process) < 0 ||
                    read_session(&process, &s) < 0 || s != session)
                        continue;
                if (fd_pidfd_send_signal(process.pidfd, signal) >= 0 && (pid_t) pid != session)
                        n++;
        }
        if (dir)
                (void) closedir(dir);
        return n;
}

void exec_session_kill(int child_pidfd) {
        struct pollfd p = { .fd = child_pidfd, .events = POLLIN };
        pid_t session;
        int status;

        /* Not reaped yet, so its number is still its own, and the session's. */
        if (fd_pidfd_get_pid(child_pidfd, &session) >= 0) {
                (void) signal_session(session, SIGHUP);
                (void) wait_poll_stubborn(&p, 1, wait_deadline(HANGUP_USEC));
                (void) fd_pidfd_send_signal(child_pidfd, SIGKILL);
                for (int i = 0; i < SESSION_SWEEPS_MAX && signal_session(session, SIGKILL) > 0; i++)
                        ;
        }
        (void) process_reap(child_pidfd, &status);
}

static int on_message(const char *kind, GVariant *content, int child_pidfd, int slave) {
        guint32 width, height;
        gint32 number;

        if (g_str_equal(kind, "signal") && g_variant_lookup(content, "signal", "i", &number)) {
                if (number <= 0 || number >= _NSIG)
                        return -EINVAL;
                return fd_pidfd_send_signal(child_pidfd, number);
        }
        if (g_str_equal(kind, "resize") && g_variant_lookup(content, "width", "u", &width) &&
            g_variant_lookup(content, "height", "u", &height))
                return slave >= 0 ? terminal_resize(slave, width, height) : -ENOTTY;
        return -EBADMSG;
}

/* 0 at the end of the channel: berthd has gone, and the program goes on without it. */
static int read_channel(Worker *worker, int child_pidfd, int slave) {
        g_autoptr(GVariant) message = NULL, content = NULL;
        const char *kind;
        int r;

        r = worker_receive(worker, &message);
        if (r <= 0)
                return r;
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        /* What comes too late for the program, or does not fit it, is no reason to end it. */
        (void) on_message(kind, content, child_pidfd, slave);
        return 1;
}

int exec_session_run(Worker *worker, int child_pidfd, int slave, int *ret_exit_status,
                     Error *ret_error) {
        struct pollfd p[] = {
                { .fd = child_pidfd, .events = POLLIN },
                { .fd = worker->channel_fd, .events = POLLIN },
        };
        int r, status;

        while (!(p[0].revents & POLLIN)) {
                r = wait_poll(p, ELEMENTSOF(p), WAIT_FOREVER);
                if (r < 0) {
                        exec_session_kill(child_pidfd);
                        return r == -ECANCELED ? worker_cancelled(ret_error)
                                               : error_set_errno(ret_error, -r, "Cannot wait");
                }
                if (p[1].revents && read_channel(worker, child_pidfd, slave) <= 0)
                        p[1].fd = -EBADF; /* poll() passes over it */
        }
        r = process_reap(child_pidfd, &status);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read how the program ended");
        *ret_exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return 0;
}
