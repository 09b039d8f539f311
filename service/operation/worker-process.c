/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/worker-process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "service/operation/worker-channel.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"

/* Messages that are read in one turn of the event loop: one worker must not keep it from others. */
#define MESSAGES_PER_TURN 64U

struct WorkerProcess {
        pid_t pid;
        char *operation;
        WorkerChannel channel;
        sd_event_source *channel_source, *child_source, *kill_timer;
        bool died;
};

bool worker_process_has_died(const WorkerProcess *worker) {
        return worker->died;
}

static void fds_close(int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                fds[i] = fd_close(fds[i]);
}

WorkerProcess *worker_process_free(WorkerProcess *worker) {
        if (!worker)
                return NULL;

        sd_event_source_disable_unref(worker->channel_source);
        sd_event_source_disable_unref(worker->child_source);
        sd_event_source_disable_unref(worker->kill_timer);
        if (worker->pid > 0) {
                /* Reaped here, so the pid cannot be anybody else's. */
                (void) kill(worker->pid, SIGKILL);
                (void) waitpid(worker->pid, NULL, 0);
        }
        worker_channel_done(&worker->channel);
        g_free(worker->operation);
        g_free(worker);
        return NULL;
}

/* --- what the worker says --- */

static void channel_break(WorkerProcess *worker) {
        worker_channel_break(&worker->channel);
        if (worker->pid > 0)
                (void) kill(worker->pid, SIGKILL);
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        WorkerProcess *worker = userdata;
        int r = worker_channel_read(&worker->channel, MESSAGES_PER_TURN);

        if (r >= 0)
                return 0;
        /* Its end is told by the process, not by the channel. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (r != -EPIPE)
                channel_break(worker);
        return 0;
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        WorkerProcess *worker = userdata;
        WorkerChannel *channel = &worker->channel;
        int r;

        worker->pid = 0;
        /* Not after what was no message: that was the end of what is believed. */
        if (sd_event_source_get_enabled(worker->channel_source, NULL) > 0) {
                r = worker_channel_read(&worker->channel, UINT_MAX);
                if (r < 0 && r != -EPIPE)
                        channel_break(worker);
        }
        worker->kill_timer = sd_event_source_disable_unref(worker->kill_timer);
        worker->died = !channel->result && !channel->error.message;
        if (worker->died) {
                if (si->si_code == CLD_EXITED)
                        (void) error_set(&channel->error, ERROR_FAILED,
                                         "Worker %s ended with status %d without a result",
                                         worker->operation, si->si_status);
                else
                        (void) error_set(&channel->error, ERROR_FAILED,
                                         "Worker %s was ended by signal %d (%s)", worker->operation,
                                         si->si_status, strsignal(si->si_status));
        }
        channel->handlers->ended(channel->result, channel->fds, channel->n_fds, &channel->error,
                                 channel->userdata);
        return 0;
}

/* --- start and stop --- */

static char *worker_path(const char *libexec_dir, const char *operation) {
        g_auto(GStrv) parts = g_strsplit(operation, ".", 2);
        g_autofree char *name = g_strconcat("berth-worker-", parts[0], NULL);

        return g_build_filename(libexec_dir, name, NULL);
}

/* The fds move to their numbers from copies above all of these, so that no move hits another. */
static int spawn(const char *path, int *fds, size_t n_fds, pid_t *ret) {
        static char *const environment[] = { (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
        char *argv[] = { (char *) path, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawnattr_init(&attributes);
        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        for (size_t i = 0; r == 0 && i < n_fds; i++)
                r = posix_spawn_file_actions_adddup2(&actions, fds[i],
                                                     PROTOCOL_REQUEST_FD + (int) i);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
        if (r == 0)
                r = posix_spawn(ret, path, &actions, &attributes, argv, environment);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attributes);
        return -r;
}

static int spawn_with_fds(const char *path, int request, int channel, const int *fds, size_t n_fds,
                          pid_t *ret) {
        int high[2 + FD_PASS_MAX];
        size_t n = 0;
        int r = 0;

        g_assert(n_fds <= FD_PASS_MAX);
        for (size_t i = 0; r >= 0 && i < 2 + n_fds; i++) {
                int from = i == 0 ? request : i == 1 ? channel : fds[i - 2];

                high[n] = fcntl(from, F_DUPFD_CLOEXEC, PROTOCOL_FIRST_FD + FD_PASS_MAX);
                if (high[n] < 0)
                        r = -errno;
                else
                        n++;
        }
        if (r >= 0)
                r = spawn(path, high, n, ret);
        fds_close(high, n);
        return r;
}

static int watch(WorkerProcess *worker, sd_event *event) {
        int r;

        r = sd_event_add_io(event, &worker->channel_source, worker->channel.fd, EPOLLIN, on_channel,
                            worker);
        if (r < 0)
                return r;
        return sd_event_add_child(event, &worker->child_source, worker->pid, WEXITED,
                                  on_exit_of_child, worker);
}

int worker_process_start(sd_event *event, const char *libexec_dir, const char *operation,
                         GVariant *args, const int *fds, size_t n_fds,
                         const WorkerHandlers *handlers, void *userdata, WorkerProcess **ret,
                         Error *ret_error) {
        g_autoptr(GVariant) request = g_variant_ref_sink(
                g_variant_new("(s@a{sv})", operation, args));
        g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(request);
        g_autoptr(WorkerProcess) worker = g_new0(WorkerProcess, 1);
        g_autofree char *path = worker_path(libexec_dir, operation);
        _cleanup_close_ int request_fd = -EBADF, theirs = -EBADF;
        int r, pair[2];

        worker->operation = g_strdup(operation);
        worker->channel = (WorkerChannel) { .fd = -EBADF, .operation = worker->operation,
                                            .handlers = handlers, .userdata = userdata };

        if (g_bytes_get_size(bytes) > PROTOCOL_REQUEST_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED, "The request %s is too large",
                                 operation);
        r = request_fd = fd_new_memfd("berth-request", bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make a request file");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket pair");
        worker->channel.fd = pair[0];
        theirs = pair[1];
        (void) fd_set_nonblock(worker->channel.fd, true);

        r = spawn_with_fds(path, request_fd, theirs, fds, n_fds, &worker->pid);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot execute %s", path);
        r = watch(worker, event);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot watch worker %s", operation);
        *ret = TAKE_PTR(worker);
        return 0;
}

static int on_kill_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        WorkerProcess *worker = userdata;

        log_warning("Worker %s does not end after SIGTERM; killing it.", worker->operation);
        if (worker->pid > 0)
                (void) kill(worker->pid, SIGKILL);
        return 0;
}

void worker_process_cancel(WorkerProcess *worker) {
        if (worker->pid <= 0 || worker->kill_timer)
                return;

        (void) kill(worker->pid, SIGTERM);
        (void) sd_event_add_time_relative(sd_event_source_get_event(worker->child_source),
                                          &worker->kill_timer, CLOCK_MONOTONIC, WORKER_KILL_USEC, 0,
                                          on_kill_timer, worker);
}

int worker_process_send(WorkerProcess *worker, const char *kind, GVariant *content) {
        g_autoptr(GVariant) message =
                g_variant_ref_sink(g_variant_new("(s@a{sv})", kind, content));

        return fd_send(worker->channel.fd, g_variant_get_data(message), g_variant_get_size(message),
                       NULL, 0);
}
