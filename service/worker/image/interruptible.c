/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/interruptible.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "service/util/cleanup.h"
#include "service/worker/worker.h"

static int wait_unmasked(int fd, short events, gint64 deadline, const sigset_t *mask) {
        struct pollfd p = { .fd = fd, .events = events };

        for (;;) {
                gint64 left = MAX(deadline - g_get_monotonic_time(), 0);
                struct timespec timeout = {
                        .tv_sec = left / G_TIME_SPAN_SECOND,
                        .tv_nsec = left % G_TIME_SPAN_SECOND * 1000,
                };
                int r;

                if (worker_is_cancelled())
                        return -ECANCELED;
                /* Also for a side that never stops talking. */
                if (left == 0)
                        return -ETIMEDOUT;
                r = ppoll(&p, 1, deadline == DEADLINE_NEVER ? NULL : &timeout, mask);
                if (r > 0)
                        return p.revents & POLLNVAL ? -EBADF : 0;
                if (r == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

int interruptible_wait(int fd, short events, gint64 deadline) {
        sigset_t term, mask, old;
        int r;

        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &term, &old) < 0)
                return -errno;
        mask = old;
        (void) sigdelset(&mask, SIGTERM);
        r = wait_unmasked(fd, events, deadline, &mask);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}

int interruptible_open_pipe(int fd, int flags) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        int r = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

        return r < 0 ? -errno : r;
}
