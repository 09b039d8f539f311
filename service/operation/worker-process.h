/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The daemon's end of a worker (service/worker/protocol.h): executes it, hands over request and
 * fds, collects what it says, and reports its end exactly once. Everything that comes from the
 * worker is checked for form here; what it means is for the caller to doubt.
 */

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "service/util/error.h"

/* From SIGTERM to SIGKILL. */
#define WORKER_KILL_USEC (10 * G_USEC_PER_SEC)

typedef struct WorkerProcess WorkerProcess;
typedef struct WorkerHandlers WorkerHandlers;

struct WorkerHandlers {
        void (*progress)(const char *stage, double fraction, void *userdata);
        /* `content` a{sv}; the fds are closed afterwards, unless taken by setting them to -EBADF */
        void (*event)(GVariant *content, int *fds, size_t n_fds, void *userdata);
        /* The last call: `result` a{sv} with fds as above, or NULL and the error. The worker may
         * be freed in it. */
        void (*ended)(GVariant *result, int *fds, size_t n_fds, Error *error, void *userdata);
};

/* Executes LIBEXEC_DIR/berth-worker-ROOM for "ROOM.verb". `args` a{sv}, floating. The fds stay the
 * caller's. */
int worker_process_start(sd_event *event, const char *libexec_dir, const char *operation,
                         GVariant *args, const int *fds, size_t n_fds,
                         const WorkerHandlers *handlers, void *userdata, WorkerProcess **ret,
                         Error *ret_error);
/* Kills what still runs, without a report. */
WorkerProcess *worker_process_free(WorkerProcess *worker);

/* It has ended without a word of its own about what came of it: killed, most likely. */
bool worker_process_has_died(const WorkerProcess *worker);

/* SIGTERM, and SIGKILL after WORKER_KILL_USEC. */
void worker_process_cancel(WorkerProcess *worker);
/* Sends a message to the worker. `content` a{sv}, floating. */
int worker_process_send(WorkerProcess *worker, const char *kind, GVariant *content);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WorkerProcess, worker_process_free)
