/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way to the service: method calls over the system bus, with GVariants for arguments and
 * results (see client/message.h for file descriptors).
 *
 * Who may do what is polkit's to say. A call is first made quietly; if the answer is that the user
 * would have to be asked, polkit's terminal agent is started and the call is made once more, with
 * the user's leave to ask. Calls that need no question thus never pay for an agent.
 */

#include <stdbool.h>

#include <glib.h>
#include <systemd/sd-bus.h>

#include "client/agent.h"
#include "service/util/error.h"

typedef struct Connection Connection;

typedef enum ConnectionFlags {
        CONNECTION_DEBUG = 1 << 0, /* each call and its time on standard error */
        CONNECTION_QUIET = 1 << 1, /* never ask for a password */
} ConnectionFlags;

/* One of several calls that are made at the same time. */
typedef struct Call {
        const char *path;
        const char *interface;
        const char *member;
        GVariant *arguments; /* a tuple, consumed when floating; NULL for none */
        GVariant *reply;     /* a tuple, owned; NULL after a failure */
        Error error;
} Call;

/* Returns 0 or -errno. Called once at most, of the reply that is no error. */
typedef int (*ReplyReader)(sd_bus_message *reply, void *userdata);

int connection_open(ConnectionFlags flags, Connection **ret, Error *ret_error);
Connection *connection_free(Connection *c);
sd_bus *connection_get_bus(Connection *c);

/* For calls that cannot be made once more, since what they read is gone then: from now on the first
 * try may ask, and the agent is there before it. */
int connection_ask_at_once(Connection *c, AgentTerminal where, Error *ret_error);
/* Consumes `arguments` when floating. */
int connection_call(Connection *c, const char *path, const char *interface, const char *member,
                    GVariant *arguments, GVariant **ret_reply, Error *ret_error);
/* The same for a reply of which not all is wanted: `read` takes from it what is. */
int connection_call_reading(Connection *c, const char *path, const char *interface,
                            const char *member, GVariant *arguments, ReplyReader read,
                            void *userdata, Error *ret_error);
/* Sends all calls, then waits for all replies. Fails only when the bus is lost; what became of
 * each call is in it. */
int connection_call_many(Connection *c, Call *calls, size_t n_calls, Error *ret_error);
void call_done(Call *call);

/* Fills `e` from a D-Bus error that the object at `path` replied with. Returns -errno. */
int connection_error(const sd_bus_error *error, const char *path, Error *e);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Connection, connection_free)
