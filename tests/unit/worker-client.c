/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker-client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

static GVariant *message_ref_sink(const char *name, GVariant *content) {
        return g_variant_ref_sink(g_variant_new("(s@a{sv})", name, content));
}

static int request_memfd(const char *operation, GVariant *args) {
        g_autoptr(GVariant) request = message_ref_sink(operation, args);
        g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(request);
        int fd = fd_new_memfd("request", bytes);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

/* In the child. The fds have been moved out of the way of the numbers that they are to have. */
static void G_GNUC_NORETURN worker_exec(const char *path, const int *fds, size_t n_fds) {
        char *const argv[] = { (char *) path, NULL };
        char *const environment[] = { NULL };
        int null_fd = open("/dev/null", O_RDONLY);

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
                _exit(126);
        for (size_t i = 0; i < n_fds; i++)
                if (dup2(fds[i], PROTOCOL_REQUEST_FD + (int) i) < 0)
                        _exit(126);
        if (close_range(PROTOCOL_REQUEST_FD + (unsigned) n_fds, ~0U, 0) < 0)
                _exit(126);
        (void) execve(path, argv, environment);
        _exit(127);
}

WorkerClient *worker_client_start(const char *path, const char *operation, GVariant *args,
                                  const int *fds, size_t n_fds) {
        WorkerClient *client = g_new0(WorkerClient, 1);
        _cleanup_close_ int request_fd = request_memfd(operation, args), worker_end = -EBADF;
        int ends[2], moved[2 + FD_PASS_MAX];

        g_assert_cmpint(n_fds, <=, FD_PASS_MAX);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
        client->channel_fd = ends[0];
        worker_end = ends[1];
        client->events = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
        client->stages = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < n_fds + 2; i++) {
                int fd = i == 0 ? request_fd : i == 1 ? worker_end : fds[i - 2];

                moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, PROTOCOL_FIRST_FD + FD_PASS_MAX);
                g_assert_cmpint(moved[i], >=, 0);
        }
        client->pid = fork();
        g_assert_cmpint(client->pid, >=, 0);
        if (client->pid == 0)
                worker_exec(path, moved, n_fds + 2);
        for (size_t i = 0; i < n_fds + 2; i++)
                (void) close(moved[i]);
        return client;
}

static void take_fds(WorkerClient *client, const int *fds, size_t n_fds) {
        if (n_fds == 0)
                return;
        for (size_t i = 0; i < client->n_fds; i++)
                (void) fd_close(client->fds[i]);
        memcpy(client->fds, fds, n_fds * sizeof(int));
        client->n_fds = n_fds;
}

static const char *take_message(WorkerClient *client, const char *kind, GVariant *content) {
        const char *stage;

        g_assert_null(client->result);
        g_assert_null(client->error_name);
        if (g_str_equal(kind, "progress")) {
                g_assert_true(g_variant_lookup(content, "stage", "&s", &stage));
                g_ptr_array_add(client->stages, g_strdup(stage));
                return "progress";
        }
        if (g_str_equal(kind, "event")) {
                g_ptr_array_add(client->events, g_variant_ref(content));
                return "event";
        }
        if (g_str_equal(kind, "result")) {
                client->result = g_variant_ref(content);
                return "result";
        }
        g_assert_cmpstr(kind, ==, "error");
        g_assert_true(g_variant_lookup(content, "name", "s", &client->error_name));
        g_assert_true(g_variant_lookup(content, "message", "s", &client->error_message));
        g_assert_cmpint(error_code_from_name(client->error_name), >=, 0);
        return "error";
}

bool worker_client_next(WorkerClient *client, const char **ret_kind) {
        g_autofree char *data = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GVariant) message = NULL, content = NULL;
        g_autoptr(GBytes) bytes = NULL;
        int fds[PROTOCOL_FDS_MAX];
        size_t n_fds = ELEMENTSOF(fds);
        const char *kind;
        ssize_t n;

        n = fd_receive(client->channel_fd, data, PROTOCOL_MESSAGE_MAX, fds, &n_fds);
        g_assert_cmpint(n, >=, 0);
        if (n == 0)
                return false;
        bytes = g_bytes_new_take(g_steal_pointer(&data), (gsize) n);
        message = g_variant_ref_sink(g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
        g_assert_true(g_variant_is_normal_form(message));
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        take_fds(client, fds, n_fds);
        kind = take_message(client, kind, content);
        if (ret_kind)
                *ret_kind = kind;
        return true;
}

void worker_client_send(WorkerClient *client, const char *kind, GVariant *content) {
        g_autoptr(GVariant) message = message_ref_sink(kind, content);

        g_assert_cmpint(fd_send(client->channel_fd, g_variant_get_data(message),
                                g_variant_get_size(message), NULL, 0), ==, 0);
}

void worker_client_cancel(WorkerClient *client) {
        g_assert_cmpint(kill(client->pid, SIGTERM), ==, 0);
}

static int reap(WorkerClient *client) {
        int status;

        while (waitpid(client->pid, &status, 0) < 0)
                g_assert_cmpint(errno, ==, EINTR);
        client->pid = 0;
        return status;
}

void worker_client_finish(WorkerClient *client) {
        while (worker_client_next(client, NULL))
                ;
        g_assert_cmpint(reap(client), ==, 0);
        g_assert_true(client->result || client->error_name);
}

void worker_client_free(WorkerClient *client) {
        if (!client)
                return;
        if (client->pid > 0) {
                (void) kill(client->pid, SIGKILL);
                (void) reap(client);
        }
        for (size_t i = 0; i < client->n_fds; i++)
                (void) fd_close(client->fds[i]);
        (void) fd_close(client->channel_fd);
        g_ptr_array_unref(client->events);
        g_ptr_array_unref(client->stages);
        g_clear_pointer(&client->result, g_variant_unref);
        g_free(client->error_name);
        g_free(client->error_message);
        g_free(client);
}

void worker_client_assert_result(WorkerClient *client) {
        g_assert_cmpstr(client->error_message, ==, NULL);
        g_assert_nonnull(client->result);
}

void worker_client_assert_error(WorkerClient *client, ErrorCode code, const char *text) {
        g_assert_null(client->result);
        g_assert_cmpstr(client->error_name, ==, error_code_to_name(code));
        if (!strstr(client->error_message, text))
                g_error("\"%s\" does not say \"%s\"", client->error_message, text);
}
