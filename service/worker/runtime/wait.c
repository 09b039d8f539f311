/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/wait.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include <glib.h>

#include "service/worker/worker.h"

void wait_block_term(void) {
        sigset_t term;

        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &term, NULL);
}

int64_t wait_deadline(int64_t usec) {
        return g_get_monotonic_time() + usec;
}

static int wait_poll_mask(struct pollfd *fds, size_t n, int64_t deadline, bool stubborn) {
        sigset_t open;

        (void) sigemptyset(&open);
        for (;;) {
                struct timespec left = { 0 };
                int r;

                if (!stubborn && worker_is_cancelled())
                        return -ECANCELED;
                if (deadline != WAIT_FOREVER) {
                        int64_t usec = MAX(deadline - g_get_monotonic_time(), 0);

                        left.tv_sec = usec / G_TIME_SPAN_SECOND;
                        left.tv_nsec = usec % G_TIME_SPAN_SECOND * 1000;
                }
                r = ppoll(fds, n, deadline == WAIT_FOREVER ? NULL : &left, stubborn ? NULL : &open);
                if (r >= 0)
                        return r;
                if (errno != EINTR)
                        return -errno;
        }
}

int wait_poll(struct pollfd *fds, size_t n, int64_t deadline) {
        return wait_poll_mask(fds, n, deadline, false);
}

int wait_poll_stubborn(struct pollfd *fds, size_t n, int64_t deadline) {
        return wait_poll_mask(fds, n, deadline, true);
}
