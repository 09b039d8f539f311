/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/worker-process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/worker/protocol.h"

/* A message for people longer than this comes from a worker that is not ours any more. */
#define TEXT_MAX 4096U
/* Messages that are read in one turn of the event loop: one worker must not keep it from others. */
#define MESSAGES_PER_TURN 64U

struct WorkerProcess {
        pid_t pid;
        char *operation;
        int channel;
        sd_event_source *channel_source, *child_source, *kill_timer;
        const WorkerHandlers *handlers;
        void *userdata;

        GVariant *result;
        int fds[PROTOCOL_FDS_MAX];
        size_t n_fds;
        Error error;
};

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
        fd_close(worker->channel);
        fds_close(worker->fds, worker->n_fds);
        g_clear_pointer(&worker->result, g_variant_unref);
        error_clear(&worker->error);
        g_free(worker->operation);
        g_free(worker);
        return NULL;
}

/* --- what the worker says --- */

static void on_progress(WorkerProcess *worker, GVariant *content) {
        const char *stage;
        double fraction;

        if (!g_variant_lookup(content, "stage", "&s", &stage) || strlen(stage) > TEXT_MAX ||
            !g_variant_lookup(content, "fraction", "d", &fraction) || isnan(fraction))
                return;
        if (worker->handlers->progress)
                worker->handlers->progress(stage, CLAMP(fraction, -1, 1), worker->userdata);
}

static void on_error(WorkerProcess *worker, GVariant *content) {
        const char *name, *message;
        int code = _ERROR_INVALID;

        if (g_variant_lookup(content, "name", "&s", &name) &&
            g_variant_lookup(content, "message", "&s", &message) && strlen(message) <= TEXT_MAX)
                code = error_code_from_name(name);
        if (code < 0)
                (void) error_set(&worker->error, ERROR_FAILED,
                                 "Worker %s reported an error that makes no sense",
                                 worker->operation);
        else
                (void) error_set(&worker->error, (ErrorCode) code, "%s", message);
}

static void on_message(WorkerProcess *worker, GVariant *message, int *fds, size_t n_fds) {
        g_autoptr(GVariant) content = NULL;
        const char *kind;

        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (g_str_equal(kind, "progress"))
                on_progress(worker, content);
        else if (g_str_equal(kind, "event") && worker->handlers->event)
                worker->handlers->event(content, fds, n_fds, worker->userdata);
        else if (g_str_equal(kind, "error") && !worker->result)
                on_error(worker, content);
        else if (g_str_equal(kind, "result") && !worker->result && !worker->error.message) {
                worker->result = TAKE_PTR(content);
                worker->n_fds = n_fds;
                for (size_t i = 0; i < n_fds; i++)
                        worker->fds[i] = TAKE_FD(fds[i]);
        }
        fds_close(fds, n_fds);
}

/* Reads at most `max` messages. Returns 0 when nothing more is there now, 1 when there may be,
 * -EPIPE when nothing will be, another -errno for what is no message. */
static int channel_read(WorkerProcess *worker, unsigned max) {
        g_autofree guint8 *buffer = g_malloc(PROTOCOL_MESSAGE_MAX);

        for (unsigned i = 0; i < max; i++) {
                int fds[PROTOCOL_FDS_MAX];
                size_t n_fds = ELEMENTSOF(fds);
                g_autoptr(GVariant) message = NULL;
                g_autoptr(GBytes) bytes = NULL;
                ssize_t n = fd_receive(worker->channel, buffer, PROTOCOL_MESSAGE_MAX, fds, &n_fds);

                if (n == -EAGAIN)
                        return 0;
                if (n == 0)
                        return -EPIPE;
                if (n < 0)
                        return (int) n;
                bytes = g_bytes_new(buffer, (gsize) n);
                message = g_variant_ref_sink(
                        g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
                if (!g_variant_is_normal_form(message)) {
                        fds_close(fds, n_fds);
                        return -EBADMSG;
                }
                on_message(worker, message, fds, n_fds);
        }
        return 1;
}

/* A worker that breaks the protocol is none of ours any more: nothing that it said counts. */
static void channel_break(WorkerProcess *worker) {
        g_clear_pointer(&worker->result, g_variant_unref);
        fds_close(worker->fds, worker->n_fds);
        worker->n_fds = 0;
        error_clear(&worker->error);
        (void) error_set(&worker->error, ERROR_FAILED, "Worker %s sent what makes no sense",
                         worker->operation);
        if (worker->pid > 0)
                (void) kill(worker->pid, SIGKILL);
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        WorkerProcess *worker = userdata;
        int r = channel_read(worker, MESSAGES_PER_TURN);

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

        int r;

        worker->pid = 0;
        /* Not after what was no message: that was the end of what is believed. */
        if (sd_event_source_get_enabled(worker->channel_source, NULL) > 0) {
                r = channel_read(worker, UINT_MAX);
                if (r < 0 && r != -EPIPE)
                        channel_break(worker);
        }
        worker->kill_timer = sd_event_source_disable_unref(worker->kill_timer);
        if (!worker->result && !worker->error.message) {
                if (si->si_code == CLD_EXITED)
                        (void) error_set(&worker->error, ERROR_FAILED,
                                         "Worker %s ended with status %d without a result",
                                         worker->operation, si->si_status);
                else
                        (void) error_set(&worker->error, ERROR_FAILED,
                                         "Worker %s was ended by signal %d (%s)", worker->operation,
                                         si->si_status, strsignal(si->si_status));
        }
        worker->handlers->ended(worker->result, worker->fds, worker->n_fds, &worker->error,
                                worker->userdata);
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

        r = sd_event_add_io(event, &worker->channel_source, worker->channel, EPOLLIN, on_channel,
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

        worker->channel = -EBADF;
        worker->operation = g_strdup(operation);
        worker->handlers = handlers;
        worker->userdata = userdata;

        if (g_bytes_get_size(bytes) > PROTOCOL_REQUEST_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED, "The request %s is too large",
                                 operation);
        r = request_fd = fd_new_memfd("berth-request", bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make a request file");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket pair");
        worker->channel = pair[0];
        theirs = pair[1];
        (void) fd_set_nonblock(worker->channel, true);

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

        return fd_send(worker->channel, g_variant_get_data(message), g_variant_get_size(message),
                       NULL, 0);
}
