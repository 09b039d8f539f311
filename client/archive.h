/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Archives between the user and the service: files, pipes, and what is neither, which is copied
 * through a pipe.
 */

#include "client/client.h"
#include "client/relay.h"
#include "client/streams.h"

/* Opens the archive of that name, "-" being standard input. `what` it is, such as "an image". */
int archive_open(const char *name, const char *what, int *ret, Error *ret_error);
/* Whether the service takes such an fd; if not, it has to be copied through a pipe. */
bool archive_is_passable(int fd);
/* An fd of it for the service, which the caller owns, through a pipe if need be; `fd` has to live
 * as long as the relay. */
int archive_pass(int fd, StreamDirection direction, Relay *relay, int *ret, Error *ret_error);

/* Calls a method (ha{sv}) that writes an archive, and waits for its job. `options` a{sv}, floating
 * or not. */
int archive_write_to_fd(Client *c, ObjectKind kind, const char *path, const char *member,
                        GVariant *options, int fd, Error *ret_error);
/* The same, to a file that appears under its name only when it is complete. */
int archive_write_to_file(Client *c, ObjectKind kind, const char *path, const char *member,
                          GVariant *options, const char *file, Error *ret_error);
/* Options of Export() from --compression and the flag that leaves snapshots out (floating). */
GVariant *archive_export_options(Client *c, const char *alone);
