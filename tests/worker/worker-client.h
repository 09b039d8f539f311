/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * berthd's side of service/worker/protocol.h for tests: runs one worker with one operation.
 * Whatever goes wrong in the protocol itself fails the test.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

#include "service/worker/protocol.h"

typedef struct WorkerClient {
        pid_t pid;
        int channel;
} WorkerClient;

typedef struct WorkerMessage {
        char *kind; /* "progress", "event", "result", "error"; NULL at the end of the channel */
        GVariant *content;
        int fds[PROTOCOL_FDS_MAX];
        size_t n_fds;
} WorkerMessage;

/* Executes the worker; takes a floating `args`; the fds stay the caller's. */
WorkerClient *worker_client_new(const char *executable, const char *operation, GVariant *args,
                                const int *fds, size_t n_fds);
/* Closes the channel and waits for the worker. Returns its status as of wait(). */
int worker_client_end(WorkerClient *client);
/* Takes a floating `content`. */
void worker_client_send(WorkerClient *client, const char *kind, GVariant *content);
WorkerMessage worker_client_receive(WorkerClient *client);
/* Passes over progress and events until the result or the error, then ends the client. */
WorkerMessage worker_client_finish(WorkerClient *client);
void worker_message_clear(WorkerMessage *message);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WorkerMessage, worker_message_clear)
