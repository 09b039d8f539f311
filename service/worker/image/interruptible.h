/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waiting that SIGTERM ends for sure. A worker's handler only sets a flag, so a signal that comes
 * between a look at the flag and a blocking call would be lost; here it is let in only while the
 * kernel waits. For the same reason files that may block are read and written without blocking.
 */

#include <poll.h>

#include <glib.h>

/* For interruptible_wait(): without an end. */
#define DEADLINE_NEVER G_MAXINT64

/* Waits until one of `events` is there or the other side has gone. 0, -ECANCELED after SIGTERM,
 * -ETIMEDOUT at `deadline` (of g_get_monotonic_time()), or -errno. */
int interruptible_wait(int fd, short events, gint64 deadline);
/* An fd of our own for the pipe behind `fd`, with O_NONBLOCK, which leaves the flags of those who
 * share `fd` alone. `flags` is O_RDONLY or O_WRONLY. */
int interruptible_open_pipe(int fd, int flags);
