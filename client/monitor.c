/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/json.h"
#include "client/message.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

const Option monitor_options[] = {
        { "format", 'f', "FORMAT", "yaml (default) or json, one document an event", NULL },
        { "pretty", 0, NULL, "One readable line an event", NULL },
        { "type", 0, "TYPE", "Only lifecycle, job or object events (may be repeated)", NULL },
        { "all-projects", 0, NULL, NULL, "" },
        { "loglevel", 0, "LEVEL", NULL, "the log is the service's: see journalctl -u berthd" },
        { NULL },
};

typedef enum EventType {
        EVENT_LIFECYCLE, /* what happened to a container */
        EVENT_JOB,       /* beginning, progress and end of jobs */
        EVENT_OBJECT,    /* coming, going and changes of every other object */
        _EVENT_TYPE_MAX,
} EventType;

static const char *const event_words[] = {
        [EVENT_LIFECYCLE] = "lifecycle",
        [EVENT_JOB] = "job",
        [EVENT_OBJECT] = "object",
};
G_STATIC_ASSERT(G_N_ELEMENTS(event_words) == _EVENT_TYPE_MAX);

typedef struct Monitor {
        bool wanted[_EVENT_TYPE_MAX];
        bool pretty;
        OutputFormat format;
} Monitor;

static int monitor_add_type(Monitor *monitor, const char *word, Error *ret_error) {
        g_autofree char *shown = NULL;

        /* LXD's word. */
        if (g_str_equal(word, "operation"))
                word = "job";
        for (size_t i = 0; i < ELEMENTSOF(event_words); i++)
                if (g_str_equal(event_words[i], word)) {
                        monitor->wanted[i] = true;
                        return 0;
                }
        if (g_str_equal(word, "logging"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The log is the service's own: see journalctl -u berthd");
        shown = format_printable(word);
        return client_usage_error(ret_error,
                                  "There is no event type '%s'; there are lifecycle, job and "
                                  "object",
                                  shown);
}

static int monitor_init(Monitor *monitor, Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) types = client_options(c, "type");
        int r;

        *monitor = (Monitor) { .pretty = client_flag(c, "pretty") };
        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &monitor->format,
                                ret_error);
        if (r < 0)
                return r;
        if (monitor->format != OUTPUT_YAML && monitor->format != OUTPUT_JSON)
                return client_usage_error(ret_error, "Events are shown as yaml or json");
        for (size_t i = 0; i < types->len; i++) {
                g_auto(GStrv) words = g_strsplit(g_ptr_array_index(types, i), ",", -1);

                for (char **word = words; *word; word++) {
                        r = monitor_add_type(monitor, *word, ret_error);
                        if (r < 0)
                                return r;
                }
        }
        for (size_t i = 0; types->len == 0 && i < _EVENT_TYPE_MAX; i++)
                monitor->wanted[i] = true;
        return 0;
}

/* "container/c1" */
static char *event_source(const char *path) {
        g_autofree char *name = NULL;
        ObjectKind kind;

        if (!object_parse_path(path, &kind, &name))
                return g_strdup(path);
        return g_strdup_printf("%s/%s", object_kind_to_word(kind), name);
}

static void event_print_pretty(uint64_t now, EventType type, const char *source,
                               const char *action, GVariant *details) {
        g_autofree char *data = json_from_variant(details, false);
        g_autofree char *shown = format_printable(source);
        time_t seconds = (time_t) (now / G_USEC_PER_SEC);
        char clock[32] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void) strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        printf("%s.%03u %-9s %s %s %s\n", clock, (unsigned) (now % G_USEC_PER_SEC / 1000),
               event_words[type], shown, action, data);
}

static GVariant *event_to_record(uint64_t now, EventType type, const char *source,
                                 const char *action, GVariant *details) {
        g_autofree char *timestamp = format_time_rfc3339(now);
        GVariantBuilder b, metadata;

        g_variant_builder_init(&metadata, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&metadata, "{sv}", "action", g_variant_new_string(action));
        g_variant_builder_add(&metadata, "{sv}", "source", g_variant_new_string(source));
        g_variant_builder_add(&metadata, "{sv}", "context", details);
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "type", g_variant_new_string(event_words[type]));
        g_variant_builder_add(&b, "{sv}", "timestamp", g_variant_new_string(timestamp));
        g_variant_builder_add(&b, "{sv}", "metadata", g_variant_builder_end(&metadata));
        return variant_seal(g_variant_builder_end(&b));
}

static void event_print(const Monitor *monitor, EventType type, const char *path,
                        const char *action, GVariant *details) {
        g_autofree char *source = event_source(path), *text = NULL;
        uint64_t now = g_get_real_time();
        g_autoptr(GVariant) record = NULL;

        if (!monitor->wanted[type])
                return;
        if (monitor->pretty)
                event_print_pretty(now, type, source, action, details);
        else {
                record = event_to_record(now, type, source, action, details);
                if (monitor->format == OUTPUT_JSON) {
                        text = json_from_variant(record, false);
                        puts(text);
                } else {
                        text = yaml_from_variant(record);
                        printf("---\n%s", text);
                }
        }
        /* Whoever reads the pipe wants the event now. */
        fflush(stdout);
}

static EventType type_of_path(const char *path) {
        ObjectKind kind;

        return object_parse_path(path, &kind, NULL) && kind == OBJECT_JOB ? EVENT_JOB
                                                                          : EVENT_OBJECT;
}

static void on_interfaces_added(const Monitor *monitor, GVariant *body) {
        g_autoptr(GVariant) interfaces = NULL;
        const char *path, *name;
        GVariantIter iter;
        GVariant *next;

        if (!g_variant_is_of_type(body, G_VARIANT_TYPE("(oa{sa{sv}})")))
                return;
        g_variant_get(body, "(&o@a{sa{sv}})", &path, &interfaces);
        g_variant_iter_init(&iter, interfaces);
        while (g_variant_iter_next(&iter, "{&s@a{sv}}", &name, &next)) {
                g_autoptr(GVariant) properties = next;

                if (object_kind_from_interface(name) >= 0)
                        event_print(monitor, type_of_path(path), path, "added", properties);
        }
}

static void on_interfaces_removed(const Monitor *monitor, GVariant *body) {
        g_autoptr(GVariant) nothing = NULL;
        const char *path;

        if (!g_variant_is_of_type(body, G_VARIANT_TYPE("(oas)")))
                return;
        nothing = variant_seal(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
        g_variant_get(body, "(&oas)", &path, NULL);
        event_print(monitor, type_of_path(path), path, "removed", nothing);
}

static void on_properties_changed(const Monitor *monitor, const char *path, GVariant *body) {
        g_autoptr(GVariant) properties = NULL;

        if (!g_variant_is_of_type(body, G_VARIANT_TYPE("(sa{sv}as)")))
                return;
        properties = g_variant_get_child_value(body, 1);
        event_print(monitor, type_of_path(path), path, "changed", properties);
}

static void on_lifecycle(const Monitor *monitor, const char *path, GVariant *body) {
        g_autoptr(GVariant) details = NULL;
        g_autofree char *action = NULL;
        const char *event;

        if (!g_variant_is_of_type(body, G_VARIANT_TYPE("(sa{sv})")))
                return;
        g_variant_get(body, "(&s@a{sv})", &event, &details);
        action = format_printable(event);
        event_print(monitor, EVENT_LIFECYCLE, path, action, details);
}

static void on_finished(const Monitor *monitor, const char *path, GVariant *body) {
        const char *result, *error, *message;
        g_autoptr(GVariant) details = NULL;
        GVariantBuilder b;

        if (!g_variant_is_of_type(body, G_VARIANT_TYPE("(sss)")))
                return;
        g_variant_get(body, "(&s&s&s)", &result, &error, &message);
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "result", g_variant_new_string(result));
        g_variant_builder_add(&b, "{sv}", "error_name", g_variant_new_string(error));
        g_variant_builder_add(&b, "{sv}", "message", g_variant_new_string(message));
        details = variant_seal(g_variant_builder_end(&b));
        event_print(monitor, EVENT_JOB, path, "finished", details);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const char *path = sd_bus_message_get_path(m);
        const Monitor *monitor = userdata;
        g_autoptr(GVariant) body = NULL;

        if (message_read_body(m, &body) < 0)
                return 0;
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"))
                on_interfaces_added(monitor, body);
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager",
                                          "InterfacesRemoved"))
                on_interfaces_removed(monitor, body);
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged"))
                on_properties_changed(monitor, path, body);
        else if (sd_bus_message_is_signal(m, "org.berth1.Container", "Lifecycle"))
                on_lifecycle(monitor, path, body);
        else if (sd_bus_message_is_signal(m, "org.berth1.Job", "Finished"))
                on_finished(monitor, path, body);
        return 0;
}

int run_monitor(Client *c, Error *ret_error) {
        Monitor monitor;
        sd_bus *bus;
        int r;

        r = monitor_init(&monitor, c, ret_error);
        if (r < 0)
                return r;
        r = client_connect(c, ret_error);
        if (r < 0)
                return r;
        bus = connection_get_bus(c->connection);
        /* No call to the service: to be watched is no reason for it to run. */
        r = sd_bus_add_match(bus, NULL, "type='signal',sender='" BERTH_BUS_NAME "'", on_signal,
                             &monitor);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot subscribe to the service's signals");
        if (c->debug)
                fputs("debug: subscribed\n", stderr);
        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return error_set_errno(ret_error, -r, "Lost the system bus");
                /* The reader has gone. */
                if (ferror(stdout))
                        return 0;
        }
}
