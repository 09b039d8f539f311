/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-archive.h"

#include <string.h>
#include <sys/socket.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/protocol.h"

int fake_archive_write(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int destination = worker_take_fd(worker, 0);

        return fd_write_all(destination, "archive", strlen("archive"));
}

int fake_archive_send_index(Worker *worker, Error *ret_error) {
        _cleanup_close_ int archive = worker_take_fd(worker, 0), fd = -EBADF;
        g_autoptr(GVariant) index = NULL;
        g_autofree char *text = NULL;
        g_autoptr(GBytes) bytes = NULL;
        GVariantDict event;
        int r = fd_read_text(archive, 1 << 20, &text);

        if (r < 0)
                return r;
        index = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
        if (!index)
                return error_set(ret_error, ERROR_INVALID_IMAGE, "The archive is damaged");
        bytes = g_variant_get_data_as_bytes(index);
        fd = fd_new_memfd("index", bytes);
        g_variant_dict_init(&event, NULL);
        g_variant_dict_insert(&event, "index", "b", TRUE);
        return worker_send_event(worker, g_variant_dict_end(&event), &fd, 1);
}

int fake_archive_await_verdict(Worker *worker, Error *ret_error) {
        g_autofree char *data = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GVariant) message = NULL, content = NULL;
        g_autoptr(GBytes) bytes = NULL;
        const char *kind, *name, *text;
        ssize_t n = recv(PROTOCOL_CHANNEL_FD, data, PROTOCOL_MESSAGE_MAX, 0);

        if (n <= 0)
                return worker_cancelled(ret_error);
        bytes = g_bytes_new(data, (gsize) n);
        message = g_variant_ref_sink(
                g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (g_str_equal(kind, "accept")) {
                g_variant_unref(worker->args);
                worker->args = TAKE_PTR(content);
                return 0;
        }
        g_assert_true(g_variant_lookup(content, "name", "&s", &name));
        g_assert_true(g_variant_lookup(content, "message", "&s", &text));
        return error_set(ret_error, error_code_from_name(name), "%s", text);
}

int fake_archive_read(Worker *worker, GVariantDict *result, Error *ret_error) {
        int r = fake_archive_send_index(worker, ret_error);

        return r < 0 ? r : fake_archive_await_verdict(worker, ret_error);
}
