/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/bus/bus.h"
#include "service/bus/message.h"
#include "service/util/cleanup.h"

#define MATCH_SERVICE "type='signal',sender='org.berth1'"
#define MATCH_OWNER \
        "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.berth1'"

/* --- connecting --- */

Client *client_new(Harness *h, uid_t uid) {
        Client *client = g_new0(Client, 1);

        client->harness = h;
        client->uid = uid;
        client->signals = g_ptr_array_new();
        client->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             (GDestroyNotify) g_hash_table_unref);
        g_assert_cmpint(sd_bus_new(&client->bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(client->bus, h->address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(client->bus, true), >=, 0);
        g_assert_cmpint(sd_bus_negotiate_fds(client->bus, true), >=, 0);
        /* The bus believes what the kernel noted when the socket was connected. */
        g_assert_cmpint(seteuid(uid), ==, 0);
        g_assert_cmpint(sd_bus_start(client->bus), >=, 0);
        g_assert_cmpint(seteuid(0), ==, 0);
        g_assert_cmpint(sd_bus_get_unique_name(client->bus, &client->name), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(client->bus, h->event, 0), >=, 0);
        return client;
}

static void signal_free(void *p) {
        Signal *s = p;

        g_free(s->path);
        g_free(s->interface);
        g_free(s->member);
        g_variant_unref(s->body);
        g_free(s);
}

Client *client_free(Client *client) {
        if (!client)
                return NULL;

        sd_bus_close_unref(client->bus);
        g_ptr_array_set_free_func(client->signals, signal_free);
        g_ptr_array_unref(client->signals);
        g_hash_table_unref(client->told);
        g_free(client);
        return NULL;
}

/* Remembers what is told of an object; whether any of it is new. */
static bool remember(Client *client, const char *path, GVariant *properties) {
        GHashTable *known = g_hash_table_lookup(client->told, path);
        GVariantIter iter;
        const char *name;
        GVariant *value;
        bool is_new = false;

        if (!known) {
                known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_variant_unref);
                g_hash_table_replace(client->told, g_strdup(path), known);
        }
        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
                GVariant *before = g_hash_table_lookup(known, name);

                is_new = is_new || !before || !g_variant_equal(before, value);
                g_hash_table_replace(known, g_strdup(name), value);
        }
        return is_new;
}

/* No signal says only what was said before: whoever listens would have to find that out. */
static void check_is_news(Client *client, const Signal *s) {
        g_autoptr(GVariant) properties = NULL, interfaces = NULL;
        GVariantIter iter;
        const char *path;

        if (g_str_equal(s->member, "PropertiesChanged")) {
                properties = g_variant_get_child_value(s->body, 1);
                if (!remember(client, s->path, properties)) {
                        g_autofree char *text = g_variant_print(properties, FALSE);

                        g_error("Nothing of %s has changed: %s", s->path, text);
                }
        } else if (g_str_equal(s->member, "InterfacesAdded")) {
                g_variant_get(s->body, "(&o@a{sa{sv}})", &path, &interfaces);
                g_hash_table_remove(client->told, path);
                g_variant_iter_init(&iter, interfaces);
                while (g_variant_iter_next(&iter, "{&s@a{sv}}", NULL, &properties)) {
                        remember(client, path, properties);
                        g_clear_pointer(&properties, g_variant_unref);
                }
        } else if (g_str_equal(s->member, "InterfacesRemoved")) {
                g_variant_get(s->body, "(&oas)", &path, NULL);
                g_hash_table_remove(client->told, path);
        } else if (g_str_equal(s->member, "NameOwnerChanged")) {
                g_hash_table_remove_all(client->told);
        }
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        Client *client = userdata;
        Signal *s = g_new0(Signal, 1);

        s->index = client->signals->len;
        s->path = g_strdup(sd_bus_message_get_path(m));
        s->interface = g_strdup(sd_bus_message_get_interface(m));
        s->member = g_strdup(sd_bus_message_get_member(m));
        g_assert_cmpint(message_read_body(m, fds, &s->body), >=, 0);
        g_ptr_array_add(client->signals, s);
        check_is_news(client, s);
        return 0;
}

void client_listen(Client *client) {
        g_assert_cmpint(sd_bus_add_match(client->bus, NULL, MATCH_SERVICE, on_signal, client), >=,
                        0);
        g_assert_cmpint(sd_bus_add_match(client->bus, NULL, MATCH_OWNER, on_signal, client), >=, 0);
}

/* --- calling --- */

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        Call *call = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        call->answered = true;
        if (error) {
                call->error = g_strdup(error->name);
                call->message = g_strdup(error->message ?: "");
        } else
                g_assert_cmpint(message_read_body(reply, call->fds, &call->body), >=, 0);
        for (guint i = 0; i < call->fds->len; i++) {
                int *fd = &g_array_index(call->fds, int, i);

                *fd = fcntl(*fd, F_DUPFD_CLOEXEC, 3); /* the message's until now */
        }
        if (call->on_answer)
                call->on_answer(call, call->userdata);
        return 0;
}

static void split_method(const char *method, char **ret_interface, const char **ret_member) {
        const char *dot = strrchr(method, '.');
        g_autofree char *interface = NULL;

        g_assert_nonnull(dot);
        interface = g_strndup(method, (gsize) (dot - method));
        *ret_interface = g_str_has_prefix(method, "org.") ? TAKE_PTR(interface)
                                                          : g_strconcat("org.berth1.", interface,
                                                                        NULL);
        *ret_member = dot + 1;
}

Call *client_begin_fds(Client *client, const char *path, const char *method, GVariant *args,
                       const int *fds) {
        g_autoptr(GVariant) tuple = args ? g_variant_ref_sink(args) : NULL;
        g_autoptr(sd_bus_message) m = NULL;
        g_autofree char *interface = NULL;
        Call *call = g_new0(Call, 1);
        const char *member;
        bool driver = g_str_has_prefix(method, "org.freedesktop.DBus.GetNameOwner");

        split_method(method, &interface, &member);
        call->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_assert_cmpint(sd_bus_message_new_method_call(
                                client->bus, &m, driver ? "org.freedesktop.DBus" : "org.berth1",
                                path, interface, member), >=, 0);
        if (tuple)
                g_assert_cmpint(message_append_body(m, tuple, fds), >=, 0);
        (void) sd_bus_message_set_allow_interactive_authorization(m, client->interactive);
        g_assert_cmpint(sd_bus_call_async(client->bus, &call->slot, m, on_reply, call, UINT64_MAX),
                        >=, 0);
        return call;
}

Call *client_begin(Client *client, const char *path, const char *method, GVariant *args) {
        return client_begin_fds(client, path, method, args, NULL);
}

Call *call_wait(Client *client, Call *call) {
        HARNESS_WAIT(client->harness, call->answered);
        return call;
}

Call *client_call(Client *client, const char *path, const char *method, GVariant *args) {
        return call_wait(client, client_begin(client, path, method, args));
}

Call *call_free(Call *call) {
        if (!call)
                return NULL;

        sd_bus_slot_unref(call->slot);
        g_clear_pointer(&call->body, g_variant_unref);
        for (guint i = 0; i < call->fds->len; i++)
                fd_close(g_array_index(call->fds, int, i));
        g_array_unref(call->fds);
        g_free(call->error);
        g_free(call->message);
        g_free(call);
        return NULL;
}

void call_free_in_array(void *call) {
        (void) call_free(call);
}

void call_assert_ok(const Call *call) {
        g_assert_true(call->answered);
        if (call->error)
                g_error("Unexpected error %s: %s", call->error, call->message);
}

void call_assert_error(const Call *call, ErrorCode code, const char *text) {
        g_assert_true(call->answered);
        if (!call->error || !g_str_equal(call->error, error_code_to_name(code)))
                g_error("%s (%s) instead of %s", call->error ?: "success", call->message ?: "",
                        error_code_to_name(code));
        if (text && !strstr(call->message, text))
                g_error("\"%s\" does not say \"%s\"", call->message, text);
}

const char *call_get_path(const Call *call) {
        const char *path;

        call_assert_ok(call);
        g_variant_get_child(call->body, 0, "&o", &path);
        return path;
}

/* --- jobs --- */

char *client_start_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(client, path, method, args);

        return g_strdup(call_get_path(call));
}

Call *client_wait_job(Client *client, const char *job) {
        return client_call(client, job, "Job.Wait", g_variant_new("(@a{sv})", no_options()));
}

Call *client_run_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(client, path, method, args);

        if (call->error)
                return TAKE_PTR(call);
        return client_wait_job(client, call_get_path(call));
}

/* --- properties and signals --- */

static const char *interface_of(const char *path) {
        static const struct {
                const char *prefix, *interface;
        } table[] = {
                { "/org/berth1/container/", "org.berth1.Container" },
                { "/org/berth1/image/", "org.berth1.Image" },
                { "/org/berth1/profile/", "org.berth1.Profile" },
                { "/org/berth1/network/", "org.berth1.Network" },
                { "/org/berth1/pool/", "org.berth1.StoragePool" },
                { "/org/berth1/job/", "org.berth1.Job" },
        };

        if (strstr(path, "/volume/"))
                return "org.berth1.Volume";
        if (strstr(path, "/snapshot/"))
                return "org.berth1.Snapshot";
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (g_str_has_prefix(path, table[i].prefix))
                        return table[i].interface;
        return "org.berth1.Manager";
}

GVariant *client_get(Client *client, const char *path, const char *property) {
        g_autoptr(Call) call = client_call(client, path, "org.freedesktop.DBus.Properties.Get",
                                           g_variant_new("(ss)", interface_of(path), property));
        GVariant *value;

        if (call->error)
                return NULL;
        g_variant_get(call->body, "(v)", &value);
        return value;
}

char *client_get_string(Client *client, const char *path, const char *property) {
        g_autoptr(GVariant) value = client_get(client, path, property);

        return value ? g_variant_dup_string(value, NULL) : NULL;
}

const Signal *client_find_signal(const Client *client, guint from, const char *path,
                                 const char *member) {
        for (guint i = from; i < client->signals->len; i++) {
                const Signal *s = g_ptr_array_index(client->signals, i);

                if ((!path || g_str_equal(s->path, path)) &&
                    (!member || g_str_equal(s->member, member)))
                        return s;
        }
        return NULL;
}

/* What a signal says of an object's properties: a{sv}, or NULL. */
static GVariant *told_properties(const Signal *s, const char *path) {
        g_autoptr(GVariant) interfaces = NULL;
        const char *added;

        if (g_str_equal(s->member, "PropertiesChanged") && g_str_equal(s->path, path))
                return g_variant_get_child_value(s->body, 1);
        if (!g_str_equal(s->member, "InterfacesAdded"))
                return NULL;
        g_variant_get(s->body, "(&o@a{sa{sv}})", &added, &interfaces);
        if (!g_str_equal(added, path))
                return NULL;
        return g_variant_lookup_value(interfaces, interface_of(path), G_VARIANT_TYPE_VARDICT);
}

GVariant *client_find_value_at(const Client *client, guint i, const char *path,
                               const char *property) {
        g_autoptr(GVariant) told = told_properties(g_ptr_array_index(client->signals, i), path);

        return told ? g_variant_lookup_value(told, property, NULL) : NULL;
}

GVariant *client_find_value(const Client *client, guint from, const char *path,
                            const char *property) {
        GVariant *found = NULL;

        for (guint i = from; i < client->signals->len; i++) {
                GVariant *value = client_find_value_at(client, i, path, property);

                if (!value)
                        continue;
                g_clear_pointer(&found, g_variant_unref);
                found = value;
        }
        return found;
}

bool client_heard_value(const Client *client, guint from, const char *path, const char *property,
                        const char *value) {
        for (guint i = from; i < client->signals->len; i++) {
                g_autoptr(GVariant) heard = client_find_value_at(client, i, path, property);

                if (heard && g_str_equal(g_variant_get_string(heard, NULL), value))
                        return true;
        }
        return false;
}

/* --- arguments --- */

GVariant *no_options(void) {
        return g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0);
}

GVariant *options(const char *text) {
        g_autofree char *typed = g_strconcat("@a{sv} ", text, NULL);

        return g_variant_new_parsed(typed);
}
