/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One connection of an SFTP client: keys are exchanged, the client says who it is, opens one
 * channel and asks for the subsystem "sftp", which it has until it goes. There are no programs, no
 * terminals and no forwarded ports.
 */

#include <libssh/libssh.h>
#include <libssh/server.h>

typedef struct Access {
        ssh_bind bind;        /* with the host key */
        const char *user;     /* NULL: everybody */
        const char *password;
} Access;

/* Serves the directory `root` on a connection, whose fd is consumed, until it ends. */
void session_serve(const Access *access, int connection, int root);
