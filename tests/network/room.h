/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A machine of its own for a test of the network: fresh network, mount and pid namespaces with
 * /proc and a /run of their own. Whatever the test leaves running ends with it, and the network of
 * the machine that it runs on is never touched.
 */

#include <stdbool.h>

#include <glib.h>

/* Goes there; returns in the process that does the test. False, and the test is to be skipped,
 * where that needs privileges or programs that are not there. */
bool room_enter(void);

/* Runs a shell command; room_run() asserts that it succeeds, the others return its exit status,
 * what it wrote to its standard output (without the last newline), or the number that this is. */
void room_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
int room_try(const char *format, ...) G_GNUC_PRINTF(1, 2);
char *room_read(const char *format, ...) G_GNUC_PRINTF(1, 2);
guint64 room_read_number(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Makes a namespace NAME with an interface eth0, up, whose other end is a port of the bridge. */
void room_add_client(const char *name, const char *bridge);
void room_remove_client(const char *name);

/* A socket that listens on a TCP port of an address of the namespace (NULL: the room's own). The
 * kernel takes connections without more ado. */
int room_listen(const char *name, const char *address, unsigned port);
/* Whether a connection from the namespace comes about within a second. */
bool room_can_connect(const char *name, const char *address, unsigned port);
