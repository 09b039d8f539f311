/* SPDX-License-Identifier: Apache-2.0 */
#include "client/connection.h"

#include <stdio.h>
#include <string.h>

#include "client/format.h"
#include "client/message.h"
#include "client/object.h"
#include "service/util/cleanup.h"

/* polkit gives a question five minutes; the service must have its chance to say so. */
#define CALL_TIMEOUT_USEC (6 * 60 * G_USEC_PER_SEC)

struct Connection {
        sd_bus *bus;
        ConnectionFlags flags;
        Agent agent;
        bool asks; /* the first try may already ask */
};

int connection_open(ConnectionFlags flags, Connection **ret, Error *ret_error) {
        g_autoptr(Connection) c = g_new0(Connection, 1);
        int r;

        *c = (Connection) { .flags = flags, .agent = AGENT_INIT };
        r = sd_bus_open_system(&c->bus);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot connect to the system bus");
        *ret = TAKE_PTR(c);
        return 0;
}

Connection *connection_free(Connection *c) {
        if (!c)
                return NULL;

        sd_bus_flush_close_unref(c->bus);
        agent_close(&c->agent);
        g_free(c);
        return NULL;
}

sd_bus *connection_get_bus(Connection *c) {
        return c->bus;
}

static bool error_is_unreachable(const char *name) {
        return g_str_equal(name, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               g_str_equal(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               g_str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn.");
}

/* The object that a path stands for, in words of a user. */
static int error_set_missing(Error *e, const char *path) {
        g_autofree char *name = NULL, *shown = NULL;
        ObjectKind kind;

        if (!object_parse_path(path, &kind, &name))
                return error_set(e, ERROR_FAILED, "The service has no object %s", path);
        shown = format_printable(name);
        return error_set(e, object_kind_to_error(kind), "%s '%s' does not exist",
                         object_kind_to_noun(kind), shown);
}

int connection_error(const sd_bus_error *error, const char *path, Error *e) {
        g_autofree char *text = format_printable(error->message ?: error->name);
        ErrorCode code = error_code_from_name(error->name);

        if (code >= 0)
                return error_set(e, code, "%s", text);
        if (g_str_equal(error->name, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return error_set_missing(e, path);
        if (error_is_unreachable(error->name))
                return error_set(e, ERROR_FAILED,
                                 "Cannot reach the berth service: %s; is it installed? Start it "
                                 "with 'systemctl start berthd' or your init's equivalent",
                                 text);
        if (g_str_equal(error->name, SD_BUS_ERROR_NO_REPLY) ||
            g_str_equal(error->name, SD_BUS_ERROR_DISCONNECTED))
                return error_set(e, ERROR_FAILED,
                                 "The berth service went away before it answered: %s", text);
        return error_set(e, ERROR_FAILED, "%s", text);
}

static void call_trace(Connection *c, const char *path, const char *interface, const char *member,
                       gint64 start, const char *outcome) {
        if (c->flags & CONNECTION_DEBUG)
                fprintf(stderr, "debug: %s.%s %s: %s, %.3f ms\n", interface, member, path, outcome,
                        (double) (g_get_monotonic_time() - start) / 1000);
}

static int message_new_call(Connection *c, const char *path, const char *interface,
                            const char *member, GVariant *arguments, bool interactive,
                            sd_bus_message **ret) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BERTH_BUS_NAME, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(m, interactive);
        if (r >= 0)
                r = message_append_body(m, arguments);
        if (r < 0) {
                sd_bus_message_unref(m);
                return r;
        }
        *ret = m;
        return 0;
}

static int call_once(Connection *c, const char *path, const char *interface, const char *member,
                     GVariant *arguments, bool interactive, ReplyReader read, void *userdata,
                     Error *ret_error) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL, *reply = NULL;
        gint64 start = g_get_monotonic_time();
        int r;

        r = message_new_call(c, path, interface, member, arguments, interactive, &m);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot build the call of %s()", member);
        r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, &reply);
        sd_bus_message_unref(m);
        if (r < 0) {
                call_trace(c, path, interface, member, start, error.name ?: strerror(-r));
                /* sd-bus dresses its own failures up as errors from the bus. */
                if (sd_bus_is_ready(c->bus) <= 0)
                        r = error_set(ret_error, ERROR_FAILED,
                                      "Cannot talk to the system bus: %s; is dbus running?",
                                      strerror(-r));
                else
                        r = connection_error(&error, path, ret_error);
                sd_bus_error_free(&error);
                sd_bus_message_unref(reply);
                return r;
        }
        call_trace(c, path, interface, member, start, "done");
        r = read(reply, userdata);
        sd_bus_message_unref(reply);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the reply of %s()", member);
        return 0;
}

int connection_ask_at_once(Connection *c, AgentTerminal where, Error *ret_error) {
        int r;

        if (c->flags & CONNECTION_QUIET)
                return 0;
        r = agent_open(&c->agent, where);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot start pkttyagent");
        c->asks = true;
        return 0;
}

int connection_call_reading(Connection *c, const char *path, const char *interface,
                            const char *member, GVariant *arguments, ReplyReader read,
                            void *userdata, Error *ret_error) {
        g_autoptr(GVariant) body = arguments ? g_variant_ref_sink(arguments) : NULL;
        g_auto(Error) e = ERROR_INIT;
        int r;

        r = call_once(c, path, interface, member, body, c->asks, read, userdata, &e);
        if (r < 0 && e.code == ERROR_AUTH_REQUIRED && !c->asks && !(c->flags & CONNECTION_QUIET)) {
                error_clear(&e);
                r = agent_open(&c->agent, AGENT_ON_INPUT);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot start pkttyagent");
                r = call_once(c, path, interface, member, body, true, read, userdata, &e);
        }
        if (r < 0)
                error_move(ret_error, &e);
        return r;
}

static int read_body(sd_bus_message *reply, void *userdata) {
        return message_read_body(reply, userdata);
}

int connection_call(Connection *c, const char *path, const char *interface, const char *member,
                    GVariant *arguments, GVariant **ret_reply, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r;

        r = connection_call_reading(c, path, interface, member, arguments, read_body, &reply,
                                    ret_error);
        if (r < 0)
                return r;
        if (ret_reply)
                *ret_reply = TAKE_PTR(reply);
        return 0;
}

typedef struct Pending {
        Connection *connection;
        Call *call;
        size_t *n_left;
        gint64 start;
} Pending;

static int pending_on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Pending *p = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r;

        (*p->n_left)--;
        call_trace(p->connection, p->call->path, p->call->interface, p->call->member, p->start,
                   error ? error->name : "done");
        if (error) {
                (void) connection_error(error, p->call->path, &p->call->error);
                return 0;
        }
        r = message_read_body(m, &p->call->reply);
        if (r < 0)
                (void) error_set_errno(&p->call->error, -r, "Cannot read the reply of %s()",
                                       p->call->member);
        return 0;
}

static int pending_wait(Connection *c, const size_t *n_left, Error *ret_error) {
        while (*n_left > 0) {
                int r = sd_bus_process(c->bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(c->bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return error_set_errno(ret_error, -r, "Lost the system bus");
        }
        return 0;
}

int connection_call_many(Connection *c, Call *calls, size_t n_calls, Error *ret_error) {
        g_autofree Pending *pending = g_new0(Pending, MAX(n_calls, 1));
        size_t n_left = 0;
        int r;

        for (size_t i = 0; i < n_calls; i++) {
                Call *call = &calls[i];
                sd_bus_message *m = NULL;

                if (call->arguments)
                        g_variant_ref_sink(call->arguments);
                pending[i] = (Pending) { c, call, &n_left, g_get_monotonic_time() };
                r = message_new_call(c, call->path, call->interface, call->member, call->arguments,
                                     false, &m);
                if (r >= 0)
                        r = sd_bus_call_async(c->bus, NULL, m, pending_on_reply, &pending[i],
                                              CALL_TIMEOUT_USEC);
                sd_bus_message_unref(m);
                if (r < 0)
                        (void) error_set_errno(&call->error, -r, "Cannot call the berth service");
                else
                        n_left++;
        }
        r = pending_wait(c, &n_left, ret_error);
        if (r < 0)
                return r;

        /* What polkit wants to ask about is asked one after the other. */
        for (size_t i = 0; i < n_calls; i++) {
                Call *call = &calls[i];

                if (!call->error.message || call->error.code != ERROR_AUTH_REQUIRED)
                        continue;
                error_clear(&call->error);
                (void) connection_call(c, call->path, call->interface, call->member,
                                       call->arguments, &call->reply, &call->error);
        }
        return 0;
}

void call_done(Call *call) {
        g_clear_pointer(&call->arguments, g_variant_unref);
        g_clear_pointer(&call->reply, g_variant_unref);
        error_clear(&call->error);
}
