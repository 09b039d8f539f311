/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waiting for an event, a deadline or SIGTERM, whichever comes first, without losing a signal that
 * comes just before the wait: SIGTERM stays blocked except while waiting here.
 */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_FOREVER (-1)

/* Blocks SIGTERM from now on; an operation that waits calls it first. */
void wait_block_term(void);
/* A point in time for wait_poll(), that many microseconds from now. */
int64_t wait_deadline(int64_t usec);
/* poll() until the deadline. Returns the number of ready fds, 0 at the deadline, -ECANCELED once
 * the worker is told to stop. */
int wait_poll(struct pollfd *fds, size_t n, int64_t deadline);
/* The same, but goes on when told to stop: for work that must be finished once it was begun. */
int wait_poll_stubborn(struct pollfd *fds, size_t n, int64_t deadline);
