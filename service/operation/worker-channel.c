/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/worker-channel.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* A message for people longer than this comes from a worker that is not ours any more. */
#define TEXT_MAX ((size_t) ERROR_MESSAGE_MAX)

static void fds_close(int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                fds[i] = fd_close(fds[i]);
}

static void on_progress(WorkerChannel *channel, GVariant *content) {
        const char *stage;
        double fraction;

        if (!g_variant_lookup(content, "stage", "&s", &stage) || strlen(stage) > TEXT_MAX ||
            !g_variant_lookup(content, "fraction", "d", &fraction) || isnan(fraction))
                return;
        if (channel->handlers->progress)
                channel->handlers->progress(stage, CLAMP(fraction, -1, 1), channel->userdata);
}

static void on_error(WorkerChannel *channel, GVariant *content) {
        const char *name, *message;
        int code = _ERROR_INVALID;

        if (g_variant_lookup(content, "name", "&s", &name) &&
            g_variant_lookup(content, "message", "&s", &message) && strlen(message) <= TEXT_MAX)
                code = error_code_from_name(name);
        if (code < 0)
                (void) error_set(&channel->error, ERROR_FAILED,
                                 "Worker %s reported an error that makes no sense",
                                 channel->operation);
        else
                (void) error_set(&channel->error, (ErrorCode) code, "%s", message);
}

static void on_message(WorkerChannel *channel, GVariant *message, int *fds, size_t n_fds) {
        g_autoptr(GVariant) content = NULL;
        const char *kind;

        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (g_str_equal(kind, "progress"))
                on_progress(channel, content);
        else if (g_str_equal(kind, "event") && channel->handlers->event)
                channel->handlers->event(content, fds, n_fds, channel->userdata);
        else if (g_str_equal(kind, "error") && !channel->result)
                on_error(channel, content);
        else if (g_str_equal(kind, "result") && !channel->result && !channel->error.message) {
                channel->result = TAKE_PTR(content);
                channel->n_fds = n_fds;
                for (size_t i = 0; i < n_fds; i++)
                        channel->fds[i] = TAKE_FD(fds[i]);
        }
        fds_close(fds, n_fds);
}

int worker_channel_read(WorkerChannel *channel, unsigned max) {
        g_autofree guint8 *buffer = g_malloc(PROTOCOL_MESSAGE_MAX);

        for (unsigned i = 0; i < max; i++) {
                int fds[PROTOCOL_FDS_MAX];
                size_t n_fds = ELEMENTSOF(fds);
                g_autoptr(GVariant) message = NULL;
                g_autoptr(GBytes) bytes = NULL;
                ssize_t n = fd_receive(channel->fd, buffer, PROTOCOL_MESSAGE_MAX, fds, &n_fds);

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
                on_message(channel, message, fds, n_fds);
        }
        return 1;
}

void worker_channel_break(WorkerChannel *channel) {
        g_clear_pointer(&channel->result, g_variant_unref);
        fds_close(channel->fds, channel->n_fds);
        channel->n_fds = 0;
        error_clear(&channel->error);
        (void) error_set(&channel->error, ERROR_FAILED, "Worker %s sent what makes no sense",
                         channel->operation);
}

void worker_channel_done(WorkerChannel *channel) {
        g_clear_pointer(&channel->result, g_variant_unref);
        fds_close(channel->fds, channel->n_fds);
        channel->n_fds = 0;
        error_clear(&channel->error);
        channel->fd = fd_close(channel->fd);
}
