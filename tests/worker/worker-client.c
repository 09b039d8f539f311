/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/worker/worker-client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* Above all that a worker has. */
#define HIGH_FD 100

G_GNUC_NORETURN static void execute(const char *executable, int request, int channel,
                                    const int *fds, size_t n_fds) {
        char *const argv[] = { (char *) executable, NULL };
        char *asan = g_strdup_printf("ASAN_OPTIONS=%s", g_getenv("ASAN_OPTIONS") ?: "");
        char *const envp[] = { asan, NULL };
        size_t n = n_fds + 2;

        for (size_t i = 0; i < n; i++)
                g_assert_cmpint(dup2(i == 0   ? request
                                     : i == 1 ? channel
                                              : fds[i - 2],
                                     HIGH_FD + (int) i),
                                >=, 0);
        for (size_t i = 0; i < n; i++)
                g_assert_cmpint(dup2(HIGH_FD + (int) i, PROTOCOL_REQUEST_FD + (int) i), >=, 0);
        g_assert_cmpint(close_range(PROTOCOL_REQUEST_FD + (unsigned) n, ~0U, 0), ==, 0);
        g_assert_cmpint(dup2(open("/dev/null", O_RDONLY), STDIN_FILENO), ==, STDIN_FILENO);
        (void) execve(executable, argv, envp);
        _exit(EXIT_FAILURE);
}

WorkerClient *worker_client_new(const char *executable, const char *operation, GVariant *args,
                                const int *fds, size_t n_fds) {
        g_autoptr(GVariant) request =
                g_variant_ref_sink(g_variant_new("(s@a{sv})", operation, args));
        g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(request);
        _cleanup_close_ int memfd = fd_new_memfd("request", bytes);
        WorkerClient *client = g_new(WorkerClient, 1);
        int sockets[2];

        g_assert_cmpint(memfd, >=, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), ==, 0);
        client->pid = fork();
        g_assert_cmpint(client->pid, >=, 0);
        if (client->pid == 0)
                execute(executable, memfd, sockets[1], fds, n_fds);
        (void) close(sockets[1]);
        client->channel = sockets[0];
        return client;
}

int worker_client_end(WorkerClient *client) {
        int status;

        (void) close(client->channel);
        g_assert_cmpint(waitpid(client->pid, &status, 0), ==, client->pid);
        g_free(client);
        return status;
}

void worker_client_send(WorkerClient *client, const char *kind, GVariant *content) {
        g_autoptr(GVariant) message =
                g_variant_ref_sink(g_variant_new("(s@a{sv})", kind, content));

        g_assert_cmpint(fd_send(client->channel, g_variant_get_data(message),
                                g_variant_get_size(message), NULL, 0),
                        ==, 0);
}

WorkerMessage worker_client_receive(WorkerClient *client) {
        g_autofree char *buffer = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GVariant) variant = NULL;
        WorkerMessage message = { .n_fds = PROTOCOL_FDS_MAX };
        ssize_t n;

        n = fd_receive(client->channel, buffer, PROTOCOL_MESSAGE_MAX, message.fds, &message.n_fds);
        g_assert_cmpint(n, >=, 0);
        if (n == 0)
                return message;
        bytes = g_bytes_new(buffer, (gsize) n);
        variant = g_variant_ref_sink(g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
        g_assert_true(g_variant_is_normal_form(variant));
        g_variant_get(variant, "(s@a{sv})", &message.kind, &message.content);
        return message;
}

WorkerMessage worker_client_finish(WorkerClient *client) {
        for (;;) {
                WorkerMessage message = worker_client_receive(client);
                int status;

                g_assert_nonnull(message.kind);
                if (!g_str_equal(message.kind, "result") && !g_str_equal(message.kind, "error")) {
                        worker_message_clear(&message);
                        continue;
                }
                status = worker_client_end(client);
                g_assert_true(WIFEXITED(status));
                g_assert_cmpint(WEXITSTATUS(status), ==, 0);
                return message;
        }
}

void worker_message_clear(WorkerMessage *message) {
        g_clear_pointer(&message->kind, g_free);
        g_clear_pointer(&message->content, g_variant_unref);
        while (message->n_fds > 0)
                (void) close(message->fds[--message->n_fds]);
}
