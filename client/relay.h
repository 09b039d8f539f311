/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Copies data between pairs of file descriptors while the client waits for a job: between a
 * terminal and its other side, or between a file and a pipe.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#define RELAY_CHANNELS_MAX 3

typedef struct Relay Relay;

Relay *relay_new(void);
Relay *relay_free(Relay *r);

/* Copies what `from` gives to `to` until one of them has come to its end. An fd that is `owned` is
 * closed then, so that whoever is at its other end notices. */
void relay_add(Relay *r, int from, bool owns_from, int to, bool owns_to);
/* The channel that was added first is for keys: ctrl-a q in it closes all channels, ctrl-a twice is
 * one ctrl-a. */
void relay_set_detach_keys(Relay *r);
/* Closes all channels. */
void relay_detach(Relay *r);
/* Fills up to RELAY_CHANNELS_MAX entries and returns their number. */
size_t relay_prepare(Relay *r, struct pollfd *fds);
/* Moves data for the entries of the last relay_prepare() that are ready. */
void relay_dispatch(Relay *r, const struct pollfd *fds, size_t n);
/* Copies what is there without waiting for more. For the time after the other end's program has
 * ended: what it wrote before is there, and a child that lives on must not hold us up. */
void relay_drain(Relay *r);
/* Copies everything to the end of each `from`. */
void relay_finish(Relay *r);
/* The first failure to write to an fd that is not ours, as -errno, 0 if there was none. */
int relay_get_error(const Relay *r);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Relay, relay_free)
