/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a worker says (service/worker/protocol.h), read and checked for form: the reading half of
 * worker-process.h, which knows nothing of processes. A worker that breaks the protocol is not
 * believed in anything, not even in what it said before.
 */

#include "service/operation/worker-process.h"
#include "service/worker/protocol.h"

typedef struct WorkerChannel {
        int fd;                 /* SOCK_SEQPACKET, not blocking; owned */
        const char *operation;  /* for messages; borrowed, like the rest of the caller's */
        const WorkerHandlers *handlers;
        void *userdata;

        GVariant *result;       /* a{sv}, once it has come */
        int fds[PROTOCOL_FDS_MAX];
        size_t n_fds;           /* of the result; owned */
        Error error;            /* instead of a result */
} WorkerChannel;

/* Reads at most `max` messages. Returns 0 when nothing more is there now, 1 when there may be,
 * -EPIPE when nothing will be, another -errno for what is no message. */
int worker_channel_read(WorkerChannel *channel, unsigned max);
/* Nothing that was said counts: the error says so. */
void worker_channel_break(WorkerChannel *channel);
void worker_channel_done(WorkerChannel *channel);
