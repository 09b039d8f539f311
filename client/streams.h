/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Our own streams, or any fd, for a program in a container. What the service takes (pipes,
 * sockets, /dev/null) is handed over as it is and costs nothing afterwards. Everything else
 * (files, terminals) is copied through a pipe by the relay: a file of the host must not become
 * something that a container can seek in, truncate or lock.
 */

#include "client/relay.h"
#include "service/util/error.h"

typedef enum StreamDirection {
        STREAM_INPUT,  /* the other side reads */
        STREAM_OUTPUT, /* the other side writes */
} StreamDirection;

/* Returns in *ret_fd an fd to send, which the caller owns. `fd` stays the caller's and has to live
 * as long as the relay. */
int stream_open(int fd, StreamDirection direction, Relay *relay, int *ret_fd, Error *ret_error);
/* The same, but always through a pipe. */
int stream_open_pipe(int fd, StreamDirection direction, Relay *relay, int *ret_fd,
                     Error *ret_error);
