/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/fd.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static size_t count_fds(void) {
        GDir *d = g_dir_open("/proc/self/fd", 0, NULL);
        size_t n = 0;

        g_assert_nonnull(d);
        while (g_dir_read_name(d))
                n++;
        g_dir_close(d);
        return n;
}

/* Sends a byte with `sent` fds to one who has room for `room`; what it gets. */
static ssize_t pass(size_t sent, size_t room, size_t *ret_got) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int pair[2], fds[FD_PASS_MAX], received[FD_PASS_MAX];
        size_t before, n = room;
        ssize_t r;
        char byte = 'x';

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
        ours = pair[0];
        theirs = pair[1];
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = STDERR_FILENO;
        g_assert_cmpint(fd_send(ours, &byte, 1, fds, sent), ==, 0);
        before = count_fds();
        r = fd_receive(theirs, &byte, 1, room > 0 ? received : NULL, room > 0 ? &n : NULL);
        *ret_got = 0;
        if (r >= 0 && room > 0) {
                *ret_got = n;
                for (size_t i = 0; i < n; i++)
                        (void) close(received[i]);
        }
        /* None stays open that nobody has been told of. */
        g_assert_cmpuint(count_fds(), ==, before);
        return r;
}

TEST(fds_arrive_or_the_message_is_refused) {
        static const struct {
                size_t sent, room;
                ssize_t result;
                size_t got;
        } cases[] = {
                { 0, 0, 1, 0 },         { 0, 1, 1, 0 },
                { 1, 1, 1, 1 },         { 1, 2, 1, 1 },
                { FD_PASS_MAX, FD_PASS_MAX, 1, FD_PASS_MAX },
                { 1, 0, -EMSGSIZE, 0 }, { 2, 1, -EMSGSIZE, 0 },
                { FD_PASS_MAX, FD_PASS_MAX - 1, -EMSGSIZE, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t got;

                g_assert_cmpint(pass(cases[i].sent, cases[i].room, &got), ==, cases[i].result);
                g_assert_cmpuint(got, ==, cases[i].got);
        }
}

TEST(a_message_too_long_is_refused) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        char byte;
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
        ours = pair[0];
        theirs = pair[1];
        g_assert_cmpint(fd_send(ours, "ab", 2, NULL, 0), ==, 0);
        g_assert_cmpint(fd_receive(theirs, &byte, 1, NULL, NULL), ==, -EMSGSIZE);
}

/* --- the end of a socket --- */

#define HURRIED_SENDERS 30000

static void *send_and_leave(void *data) {
        int *sockets = data;

        for (int i = 0; i < HURRIED_SENDERS; i++) {
                int fd;

                while ((fd = g_atomic_int_get(&sockets[i])) < 0)
                        ;
                g_assert_cmpint(fd_send(fd, "x", 1, NULL, 0), ==, 0);
                (void) close(fd);
        }
        return NULL;
}

/* Who sends his last word and goes is heard, at whatever moment he is listened to. */
TEST(the_last_message_comes_before_the_end) {
        g_autofree int *sockets = g_new(int, HURRIED_SENDERS);
        GThread *sender;

        for (int i = 0; i < HURRIED_SENDERS; i++)
                sockets[i] = -EBADF;
        sender = g_thread_new("sender", send_and_leave, sockets);
        for (int i = 0; i < HURRIED_SENDERS; i++) {
                int pair[2];
                ssize_t n;
                char byte;

                g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                           0, pair), ==, 0);
                g_atomic_int_set(&sockets[i], pair[1]);
                do
                        n = fd_receive(pair[0], &byte, 1, NULL, NULL);
                while (n == -EAGAIN);
                g_assert_cmpint(n, ==, 1);
                g_assert_cmpint(fd_receive(pair[0], &byte, 1, NULL, NULL), <=, 0);
                (void) close(pair[0]);
        }
        (void) g_thread_join(sender);
}

TEST_MAIN()
