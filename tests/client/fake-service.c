/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake-service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/introspection.h"
#include "client/message.h"
#include "service/util/cleanup.h"

void fake_fail(FakeCall *call, const char *error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        call->reply->error = g_strdup(error);
        call->reply->text = g_strdup_vprintf(format, ap);
        va_end(ap);
}

GVariant *fake_options(const FakeCall *call) {
        return g_variant_get_child_value(call->body, g_variant_n_children(call->body) - 1);
}

void fake_object_free(FakeObject *o) {
        g_free(o->path);
        g_free(o->name);
        g_hash_table_unref(o->properties);
        g_clear_pointer(&o->config, g_variant_unref);
        g_clear_pointer(&o->devices, g_variant_unref);
        g_clear_pointer(&o->archive, g_bytes_unref);
        g_free(o);
}

void fake_object_set(FakeObject *o, const char *property, GVariant *value) {
        g_hash_table_replace(o->properties, g_strdup(property), g_variant_ref_sink(value));
}

GVariant *fake_object_get(const FakeObject *o, const char *property) {
        return g_hash_table_lookup(o->properties, property);
}

const char *fake_object_get_string(const FakeObject *o, const char *property) {
        GVariant *v = fake_object_get(o, property);

        return v ? g_variant_get_string(v, NULL) : "";
}

GVariant *fake_object_properties(const FakeObject *o) {
        GHashTableIter iter;
        GVariantBuilder b;
        gpointer name, value;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_hash_table_iter_init(&iter, o->properties);
        while (g_hash_table_iter_next(&iter, &name, &value))
                g_variant_builder_add(&b, "{sv}", name, value);
        return g_variant_builder_end(&b);
}

static void emit(Fake *f, const char *path, const char *interface, const char *member,
                 GVariant *body) {
        g_autoptr(GVariant) own = g_variant_ref_sink(body);
        sd_bus_message *m = NULL;

        g_assert_cmpint(sd_bus_message_new_signal(f->bus, &m, path, interface, member), >=, 0);
        g_assert_cmpint(message_append_body(m, own), >=, 0);
        (void) sd_bus_send(f->bus, m, NULL);
        sd_bus_message_unref(m);
}

void fake_object_change(Fake *f, FakeObject *o, const char *property, GVariant *value) {
        GVariantBuilder b;

        fake_object_set(o, property, value);
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", property, fake_object_get(o, property));
        emit(f, o->path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
             g_variant_new("(s@a{sv}as)", object_kind_to_interface(o->kind),
                           g_variant_builder_end(&b), NULL));
}

FakeObject *fake_object_add(Fake *f, ObjectKind kind, const char *name) {
        FakeObject *o = g_new0(FakeObject, 1);

        o->kind = kind;
        o->name = g_strdup(name);
        o->path = object_make_path(kind, name);
        o->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_variant_unref);
        o->config = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0));
        o->devices = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sa{ss}}"), NULL, 0));
        g_hash_table_replace(f->objects, g_strdup(o->path), o);
        if (f->bus) {
                GVariantBuilder b;

                g_variant_builder_init(&b, G_VARIANT_TYPE("a{sa{sv}}"));
                g_variant_builder_add(&b, "{s@a{sv}}", object_kind_to_interface(kind),
                                      fake_object_properties(o));
                emit(f, BERTH_ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                     g_variant_new("(o@a{sa{sv}})", o->path, g_variant_builder_end(&b)));
        }
        return o;
}

void fake_object_remove(Fake *f, FakeObject *o) {
        const char *interface = object_kind_to_interface(o->kind);

        emit(f, BERTH_ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
             g_variant_new("(o@as)", o->path, g_variant_new_strv(&interface, 1)));
        g_hash_table_remove(f->objects, o->path);
}

static GVariant *get_managed_objects(Fake *f) {
        GHashTableIter iter;
        GVariantBuilder b;
        gpointer path, value;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{oa{sa{sv}}}"));
        g_hash_table_iter_init(&iter, f->objects);
        while (g_hash_table_iter_next(&iter, &path, &value)) {
                const FakeObject *o = value;
                GVariantBuilder interfaces;

                if (o->kind == OBJECT_MANAGER)
                        continue;
                g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a{sa{sv}}"));
                g_variant_builder_add(&interfaces, "{s@a{sv}}", object_kind_to_interface(o->kind),
                                      fake_object_properties(o));
                g_variant_builder_add(&b, "{o@a{sa{sv}}}", path,
                                      g_variant_builder_end(&interfaces));
        }
        g_hash_table_iter_init(&iter, f->jobs);
        while (g_hash_table_iter_next(&iter, &path, &value)) {
                GVariantBuilder interfaces;

                g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a{sa{sv}}"));
                g_variant_builder_add(&interfaces, "{s@a{sv}}", "org.berth1.Job",
                                      fake_job_properties(value));
                g_variant_builder_add(&b, "{o@a{sa{sv}}}", path,
                                      g_variant_builder_end(&interfaces));
        }
        return g_variant_new("(@a{oa{sa{sv}}})", g_variant_builder_end(&b));
}

static char *read_xml(Fake *f, ObjectKind kind) {
        g_autofree char *file = g_strconcat(f->introspection, "/", object_kind_to_interface(kind),
                                            ".xml", NULL);
        char *xml;

        if (!g_file_get_contents(file, &xml, NULL, NULL))
                g_error("Cannot read %s", file);
        return xml;
}

static ObjectKind call_kind(const FakeCall *call) {
        if (call->job)
                return OBJECT_JOB;
        return call->object ? call->object->kind : OBJECT_MANAGER;
}

static void call_standard(FakeCall *call) {
        Fake *f = call->fake;

        if (g_str_equal(call->member, "GetManagedObjects"))
                call->reply->body = get_managed_objects(f);
        else if (g_str_equal(call->member, "Introspect")) {
                g_autofree char *xml = read_xml(f, call_kind(call));

                call->reply->body = g_variant_new("(s)", xml);
        } else if (g_str_equal(call->member, "GetAll"))
                call->reply->body =
                        g_variant_new("(@a{sv})", call->job
                                                          ? fake_job_properties(call->job)
                                                          : fake_object_properties(call->object));
        else if (g_str_equal(call->member, "Get")) {
                g_autoptr(GVariant) all = NULL, value = NULL;
                const char *property;

                all = g_variant_ref_sink(call->job ? fake_job_properties(call->job)
                                                   : fake_object_properties(call->object));
                g_variant_get(call->body, "(&s&s)", NULL, &property);
                value = g_variant_lookup_value(all, property, NULL);
                if (value)
                        call->reply->body = g_variant_new("(v)", value);
                else
                        fake_fail(call, SD_BUS_ERROR_UNKNOWN_PROPERTY, "Unknown property %s",
                                  property);
        } else
                fake_fail(call, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method %s", call->member);
}

/* The contract: the call has to be one that the XML has, with its types. */
static bool call_is_valid(FakeCall *call) {
        g_autofree char *xml = NULL, *wanted = NULL, *given = NULL;
        g_autoptr(Method) method = NULL;

        if (!g_str_equal(call->interface, object_kind_to_interface(call_kind(call)))) {
                fake_fail(call, SD_BUS_ERROR_UNKNOWN_INTERFACE, "Unknown interface %s",
                          call->interface);
                return false;
        }
        xml = read_xml(call->fake, call_kind(call));
        if (introspection_find_method(xml, call->interface, call->member, &method, NULL) < 0 ||
            !method) {
                fake_fail(call, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method %s", call->member);
                return false;
        }
        wanted = method_signature(method->in);
        given = g_strndup(g_variant_get_type_string(call->body) + 1,
                          strlen(g_variant_get_type_string(call->body)) - 2);
        if (!g_str_equal(wanted, given)) {
                fake_fail(call, SD_BUS_ERROR_INVALID_ARGS, "%s takes '%s', not '%s'", call->member,
                          wanted, given);
                return false;
        }
        return true;
}

static bool call_is_allowed(FakeCall *call) {
        const char *name = call->object ? call->object->name : "";

        if (g_str_equal(name, "foreign")) {
                fake_fail(call, SD_BUS_ERROR_ACCESS_DENIED, "You may not do that to 'foreign'");
                return false;
        }
        if (!g_str_equal(name, "guarded") ||
            sd_bus_message_get_allow_interactive_authorization(call->message) > 0)
                return true;
        fake_fail(call, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                  "You would have to be asked");
        return false;
}

static void call_dispatch(FakeCall *call) {
        if (g_str_has_prefix(call->interface, "org.freedesktop.DBus.")) {
                call_standard(call);
                return;
        }
        if (!call_is_valid(call) || !call_is_allowed(call))
                return;
        if (call->job)
                fake_job_call(call);
        else
                fake_call(call);
}

static void call_log(const FakeCall *call) {
        g_autofree char *text = g_variant_print(call->body, FALSE);

        fprintf(call->fake->log, "%s %s %s\n", call->path, call->member, text);
        fflush(call->fake->log);
}

static int call_reply(FakeCall *call, FakeReply *reply) {
        sd_bus_message *m = NULL;
        int r;

        if (reply->later)
                return 1;
        if (reply->error)
                return sd_bus_reply_method_errorf(call->message, reply->error, "%s", reply->text);
        r = sd_bus_message_new_method_return(call->message, &m);
        if (r >= 0)
                r = message_append_body(m, reply->body);
        if (r >= 0)
                r = sd_bus_send(call->fake->bus, m, NULL);
        sd_bus_message_unref(m);
        return r < 0 ? r : 1;
}

/* Fds that came with the call are the fake's; methods that keep one duplicate it. */
static void close_handles(GVariant *value) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_HANDLE))
                (void) close(g_variant_get_handle(value));
        for (size_t i = 0; g_variant_is_container(value) && i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                close_handles(child);
        }
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        FakeReply reply = { 0 };
        FakeCall call = { .fake = userdata, .message = m, .reply = &reply };
        int r;

        if (!sd_bus_message_is_method_call(m, NULL, NULL) ||
            !g_str_has_prefix(sd_bus_message_get_path(m) ?: "", BERTH_ROOT_PATH))
                return 0;
        call.path = sd_bus_message_get_path(m);
        call.interface = sd_bus_message_get_interface(m) ?: "";
        call.member = sd_bus_message_get_member(m);
        call.object = g_hash_table_lookup(call.fake->objects, call.path);
        call.job = g_hash_table_lookup(call.fake->jobs, call.path);
        if (!call.object && !call.job)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                                  "Unknown object '%s'", call.path);
        if (message_read_body(m, &call.body) < 0)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_INVALID_ARGS, "Bad message");
        call_log(&call);
        call_dispatch(&call);
        if (reply.body)
                g_variant_ref_sink(reply.body);
        r = call_reply(&call, &reply);
        close_handles(call.body);
        if (reply.body)
                close_handles(reply.body);
        g_variant_unref(call.body);
        g_clear_pointer(&reply.body, g_variant_unref);
        g_free(reply.error);
        g_free(reply.text);
        return r;
}

/* fake-service INTROSPECTION-DIRECTORY LOG: prints a line when it has its name, and ends with its
 * standard input. */
static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

int main(int argc, char **argv) {
        Fake f = { 0 };
        sigset_t set;

        g_assert_cmpint(argc, ==, 3);
        f.introspection = argv[1];
        f.log = fopen(argv[2], "we");
        g_assert_nonnull(f.log);
        f.objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) fake_object_free);
        f.jobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify) fake_job_free);
        fake_populate(&f);

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        g_assert_cmpint(sigprocmask(SIG_BLOCK, &set, NULL), ==, 0);
        g_assert_cmpint(sd_event_new(&f.event), >=, 0);
        g_assert_cmpint(sd_event_add_io(f.event, NULL, STDIN_FILENO, 0, on_stdin, NULL), >=, 0);
        g_assert_cmpint(sd_bus_open_system(&f.bus), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(f.bus, f.event, 0), >=, 0);
        g_assert_cmpint(sd_bus_add_filter(f.bus, NULL, on_message, &f), >=, 0);
        g_assert_cmpint(sd_bus_request_name(f.bus, BERTH_BUS_NAME, 0), >=, 0);
        puts("ready");
        fflush(stdout);
        (void) sd_event_loop(f.event);

        sd_bus_flush_close_unref(f.bus);
        g_hash_table_unref(f.jobs);
        g_hash_table_unref(f.objects);
        sd_event_unref(f.event);
        (void) fclose(f.log);
        return EXIT_SUCCESS;
}
