/* SPDX-License-Identifier: Apache-2.0 */

/* What a worker that is no longer ours sends to berthd. */

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "service/operation/worker-channel.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/fuzz/target.h"

static void on_progress(const char *stage, double fraction, void *userdata) {
        g_assert_nonnull(stage);
        g_assert_true(fraction >= -1 && fraction <= 1);
}

static void on_event(GVariant *content, int *fds, size_t n_fds, void *userdata) {
        g_assert_true(g_variant_is_of_type(content, G_VARIANT_TYPE_VARDICT));
        g_assert_cmpuint(n_fds, <=, PROTOCOL_FDS_MAX);
}

/* Packets, each after its length in two bytes and the number of fds that come with it in one. */
FUZZ_TARGET(protocol) {
        static const WorkerHandlers handlers = { .progress = on_progress, .event = on_event };
        _cleanup_close_ int theirs = -EBADF, passed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        WorkerChannel channel = { .operation = "test.fuzz", .handlers = &handlers };
        int pair[2], r;

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                        ==, 0);
        channel.fd = pair[0];
        theirs = pair[1];
        for (unsigned n = 0; size > 3 && n < 8; n++) {
                size_t length = MIN((size_t) data[0] | (size_t) data[1] << 8, size - 3);
                size_t n_fds = data[2] % (FD_PASS_MAX + 1);
                int fds[FD_PASS_MAX];

                for (size_t i = 0; i < n_fds; i++)
                        fds[i] = passed;
                if (length > 0)
                        (void) fd_send(theirs, data + 3, length, fds, n_fds);
                data += 3 + length;
                size -= 3 + length;
        }
        theirs = fd_close(theirs);
        r = worker_channel_read(&channel, G_MAXUINT);
        g_assert_cmpint(r, <, 0);
        if (r != -EPIPE) {
                worker_channel_break(&channel);
                g_assert_null(channel.result);
        }
        g_assert_false(channel.result && channel.error.message);
        if (channel.error.message)
                fuzz_check_error(-1, &channel.error);
        worker_channel_done(&channel);
}

static void add_packet(GByteArray *bytes, uint8_t n_fds, const char *text) {
        g_autoptr(GVariant) message = g_variant_ref_sink(g_variant_new_parsed(text));
        gsize size = g_variant_get_size(message);
        const uint8_t head[] = { (uint8_t) size, (uint8_t) (size >> 8), n_fds };

        g_byte_array_append(bytes, head, sizeof(head));
        g_byte_array_append(bytes, g_variant_get_data(message), (guint) size);
}

FUZZ_SEEDS(protocol) {
        static const char *const messages[] = {
                "('progress', {'stage': <'Unpacking'>, 'fraction': <0.5>})",
                "('event', {'started': <true>})",
                "('result', {'init-pid': <1>, 'exit-status': <0>})",
                "('error', {'name': <'org.berth1.Error.Busy'>, 'message': <'It is busy'>})",
                "('error', {'name': <'no.such.Error'>, 'message': <'x'>})",
                "('result', @a{sv} {})",
                "('what', {'a': <[1, 2, 3]>})",
        };
        g_autoptr(GByteArray) all = g_byte_array_new();

        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                g_autoptr(GByteArray) one = g_byte_array_new();

                add_packet(one, (uint8_t) (i % 3), messages[i]);
                add_packet(all, (uint8_t) i, messages[i]);
                fuzz_seed(one->data, one->len);
        }
        fuzz_seed(all->data, all->len);
}
