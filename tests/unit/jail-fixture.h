/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tests of the jail stand on: a directory to put one in, and a file beside it that it must not
 * get at. The function that runs in the jail knows both, as a process that has been taken over
 * would.
 */

#include "service/worker/image/jail.h"

typedef struct Room {
        char *path;
        char *secret; /* path of the file */
        int root_fd;
        int secret_fd; /* for reading */
} Room;

/* The one that has been made last. */
extern const Room *room;

Room *room_new(void);
void room_free(Room *r);

/* Runs the function in a jail, after which no process is left. What it answered, or NULL and the
 * error. */
GVariant *room_run(JailFunc func, int input_fd, int root_fd, bool idmapped, Error *error);
/* The same in a jail of that kind. */
GVariant *room_run_as(const JailSpec *spec, Error *error);
/* The same with the room's directory, idmapped, and the secret to read. It must answer. */
GVariant *room_answer(JailFunc func);
/* It must fail, with a message that has `text`. */
void room_refuse(JailFunc func, ErrorCode code, const char *text);

/* Inside: notes under `key` whether a system call succeeded, which returned `r`. */
void room_note(GVariantDict *result, const char *key, long r);
/* Outside: there are `n` notes, and all are of this errno; 0 is success. */
void room_assert_all(GVariant *answer, unsigned n, int expected);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Room, room_free)
