/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The frame of a worker process: reads the one request, runs the one operation, sends the result
 * and exits. Operations are straight-line synchronous C; each room (runtime, storage, image,
 * network) has a const table of them and a main.c that hands it to worker_main(). A room is an
 * executable of its own so that no container start pays for loading libarchive or libnftables.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "service/model/idmap.h"
#include "service/util/error.h"

typedef struct Worker Worker;
typedef struct WorkerOperation WorkerOperation;

struct Worker {
        GVariant *args;    /* a{sv}, in normal form */
        int *fds;          /* fds of the request, owned by the worker; -EBADF where one was taken */
        size_t n_fds;
        int channel_fd;
        int result_fds[8]; /* sent with the result and closed, see worker_add_result_fd() */
        size_t n_result_fds;
};

/* Fills `result` and returns 0, or sets the error and returns -errno. */
typedef int (*WorkerFunc)(Worker *worker, GVariantDict *result, Error *ret_error);

struct WorkerOperation {
        const char *name; /* "room.verb" */
        WorkerFunc run;
};

/* Returns the exit status. The table ends with a NULL name. */
int worker_main(const WorkerOperation *operations);

/* Arguments; a missing or mistyped one is ERROR_INVALID_ARGS that names it. Strings and variants
 * live as long as the worker. */
int worker_get_string(Worker *worker, const char *key, const char **ret, Error *ret_error);
int worker_get_uint64(Worker *worker, const char *key, uint64_t *ret, Error *ret_error);
int worker_get_idmap(Worker *worker, const char *key, IdMap **ret, Error *ret_error);
int worker_get_boolean(Worker *worker, const char *key, bool *ret, Error *ret_error);
int worker_get_variant(Worker *worker, const char *key, const char *type, GVariant **ret,
                       Error *ret_error);
/* Takes fd number `i` of the request: the caller closes it. -EBADF where there is none. */
int worker_take_fd(Worker *worker, size_t i);

/* Tells the daemon what is being done; fraction -1 when not known. Cheap to call often: at most
 * one message in 50 ms leaves, and a change of stage at once. */
void worker_progress(Worker *worker, const char *stage, double fraction);
/* Sends an event with fds (which stay the caller's). Takes a floating `event`. */
int worker_send_event(Worker *worker, GVariant *event, const int *fds, size_t n_fds);
/* The next message of berthd's (PROTOCOL_MESSAGE_TYPE, in normal form). 1, or 0 at the end of the
 * channel: berthd has gone. */
int worker_receive(Worker *worker, GVariant **ret);
/* Appends an fd to the result; takes it over. */
void worker_add_result_fd(Worker *worker, int fd);
/* True once SIGTERM has come; long loops look at it and return ERROR_CANCELLED. */
bool worker_is_cancelled(void);
int worker_cancelled(Error *ret_error);
