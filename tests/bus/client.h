/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection of some user to the private bus, calls made through it, and the signals it hears.
 * Arguments and replies are GVariant tuples. Methods are written "Container.Start", for
 * org.berth1.Container.Start; a name that begins with "org." is taken as it is.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/util/error.h"
#include "tests/bus/harness.h"

typedef struct Call {
        sd_bus_slot *slot;
        bool answered;
        GVariant *body;  /* of a reply */
        char *error;     /* or the error's name and message */
        char *message;
        GArray *fds;     /* int, owned; handles in the body index it */
        void (*on_answer)(struct Call *call, void *userdata); /* told of it once, or NULL */
        void *userdata;
} Call;

typedef struct Signal {
        guint index;
        char *path, *interface, *member;
        GVariant *body;
} Signal;

struct Client {
        Harness *harness;
        sd_bus *bus;
        uid_t uid;
        bool interactive;   /* calls allow interactive authorization */
        const char *name;   /* unique */
        GPtrArray *signals; /* Signal, in their order; empty unless client_listen() was called */
        GHashTable *told;   /* path -> (property -> the value that was told last) */
};

Client *client_new(Harness *h, uid_t uid);
/* Closes the connection; calls that are under way stay unanswered. */
Client *client_free(Client *client);
/* From now on all signals of the service are recorded; one that says nothing new fails the test.
 * Once a client; root's does so from the beginning. */
void client_listen(Client *client);

/* Sends a call; `args` floating or NULL, handles in it index `fds`. */
Call *client_begin_fds(Client *client, const char *path, const char *method, GVariant *args,
                       const int *fds);
Call *client_begin(Client *client, const char *path, const char *method, GVariant *args);
/* The same, and waits for the answer. */
Call *client_call(Client *client, const char *path, const char *method, GVariant *args);
Call *call_wait(Client *client, Call *call);
Call *call_free(Call *call);
/* For a GPtrArray of calls. */
void call_free_in_array(void *call);

void call_assert_ok(const Call *call);
void call_assert_error(const Call *call, ErrorCode code, const char *text);
/* The reply's first argument, an object path. Lives as long as the call. */
const char *call_get_path(const Call *call);

/* Calls a method that replies with a job, and waits for the job: the answer of Job.Wait(), or the
 * error of the call itself. */
Call *client_run_job(Client *client, const char *path, const char *method, GVariant *args);
/* Waits for a job. */
Call *client_wait_job(Client *client, const char *job);
/* Calls a method that must reply with a job; its path, to be freed. */
char *client_start_job(Client *client, const char *path, const char *method, GVariant *args);

/* Value of a property (full reference), or NULL where there is no such object. */
GVariant *client_get(Client *client, const char *path, const char *property);
char *client_get_string(Client *client, const char *path, const char *property);

/* The first signal from number `from` on; `path` and `member` may be NULL for any. */
const Signal *client_find_signal(const Client *client, guint from, const char *path,
                                 const char *member);
/* The value that PropertiesChanged or InterfacesAdded told last, from number `from` on, or NULL.
 * A full reference. */
GVariant *client_find_value(const Client *client, guint from, const char *path,
                            const char *property);
/* What signal number `i` alone told, or NULL. */
GVariant *client_find_value_at(const Client *client, guint i, const char *path,
                               const char *property);
/* Whether such a signal ever told this text. */
bool client_heard_value(const Client *client, guint from, const char *path, const char *property,
                        const char *value);

/* An a{sv} without entries, floating. */
GVariant *no_options(void);
/* An a{sv} from text, as g_variant_new_parsed() reads it. Floating. */
GVariant *options(const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)
