/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a worker executable as berthd does (service/worker/protocol.h): sends it one request with
 * fds, collects what it says. A message that breaks the protocol, or an end without a result or
 * an error, fails the test.
 *
 *   g_autoptr(WorkerClient) client = worker_client_start(path, operation, args, NULL, 0);
 *   worker_client_finish(client);
 *   worker_client_assert_result(client);
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/protocol.h"

typedef struct WorkerClient {
        pid_t pid;
        int channel_fd;
        GPtrArray *events;  /* GVariant a{sv}: contents of the events, in their order */
        GPtrArray *stages;  /* char *: stages of the progress messages, in their order */
        GVariant *result;   /* a{sv}; NULL while there is none */
        char *error_name;   /* D-Bus name; NULL while there is none */
        char *error_message;
        int fds[PROTOCOL_FDS_MAX]; /* that came last, with an event or the result */
        size_t n_fds;
} WorkerClient;

/* Starts it. Takes a floating `args` of type a{sv}; the fds stay the caller's. */
WorkerClient *worker_client_start(const char *path, const char *operation, GVariant *args,
                                  const int *fds, size_t n_fds);
/* Waits for one message; false at the end. `kind` is "progress", "event", "result" or "error". */
bool worker_client_next(WorkerClient *client, const char **ret_kind);
/* Sends it a message, such as ("signal", {"signal": i}). Takes a floating `content`. */
void worker_client_send(WorkerClient *client, const char *kind, GVariant *content);
/* SIGTERM, as for a cancelled job. */
void worker_client_cancel(WorkerClient *client);
/* Reads to the end and reaps it. It must have exited with 0 and sent one result or error. */
void worker_client_finish(WorkerClient *client);
/* Kills it and reaps it, if that was not done. */
void worker_client_free(WorkerClient *client);

/* Fail the test, showing what came instead. */
void worker_client_assert_result(WorkerClient *client);
/* The message must contain `text` too. */
void worker_client_assert_error(WorkerClient *client, ErrorCode code, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WorkerClient, worker_client_free)
