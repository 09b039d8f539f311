/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/container-record.h"
#include "client/format.h"
#include "client/snapshot.h"
#include "client/table.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

const Option info_options[] = {
        { "format", 'f', "FORMAT", "json or yaml instead of text", NULL },
        { "resources", 0, NULL, NULL, "the service does not describe the machine" },
        { "show-log", 0, NULL, "Print the log of its last start too", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static void print_field(const char *label, const char *value) {
        g_autofree char *shown = format_printable(value);

        if (*value)
                printf("%s: %s\n", label, shown);
}

static void print_time(const char *label, uint64_t usec) {
        g_autofree char *text = format_time(usec);

        print_field(label, text);
}

static void print_size(const char *label, GVariant *state, const char *key) {
        g_autofree char *text = NULL;
        guint64 bytes;

        if (!g_variant_lookup(state, key, "t", &bytes))
                return;
        text = format_size_binary(bytes);
        printf("    %s: %s\n", label, text);
}

static void print_head(const Object *o) {
        g_autofree char *status = container_status(o), *owner = container_owner(o);
        g_autoptr(GVariant) profiles = object_get_value(o, "Profiles", "as");

        print_field("Name", o->name);
        print_field("Description", object_get_string(o, "Description"));
        print_field("Status", status);
        print_field("Type", object_get_boolean(o, "Ephemeral") ? "container (ephemeral)"
                                                                 : "container");
        print_field("Architecture", object_get_string(o, "Architecture"));
        if (object_get_number(o, "InitPid") > 0)
                printf("PID: %" G_GUINT64_FORMAT "\n", object_get_number(o, "InitPid"));
        print_time("Created", object_get_number(o, "Created"));
        print_time("Last Used", object_get_number(o, "LastStarted"));
        print_field("Owner", owner);
        print_field("Image", object_get_string(o, "Image"));
        print_field("Storage pool", object_get_string(o, "StoragePool"));
        if (profiles) {
                g_autofree const char **names = g_variant_get_strv(profiles, NULL);
                g_autofree char *joined = g_strjoinv(", ", (char **) names);

                print_field("Profiles", joined);
        }
}

/* The addresses of one interface, as LXD has them. */
static void print_addresses(const Object *o, const char *interface) {
        g_autoptr(GVariant) addresses = object_get_value(o, "Addresses", "a(sssus)");
        bool any = false;

        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                const char *name, *family, *address, *scope;
                g_autofree char *text = NULL, *shown = NULL;
                uint32_t prefix;

                g_variant_get_child(addresses, i, "(&s&s&su&s)", &name, &family, &address, &prefix,
                                    &scope);
                if (!g_str_equal(name, interface))
                        continue;
                if (!any)
                        printf("      IP addresses:\n");
                any = true;
                text = g_strdup_printf("%-7s%s/%u (%s)",
                                       g_str_equal(family, "inet") ? "inet:" : "inet6:", address,
                                       prefix, scope);
                shown = format_printable(text);
                printf("        %s\n", shown);
        }
}

static void print_counters(GVariant *counters) {
        static const struct {
                const char *label, *key;
                bool bytes;
        } fields[] = {
                { "Bytes received", "bytes-received", true },
                { "Bytes sent", "bytes-sent", true },
                { "Packets received", "packets-received", false },
                { "Packets sent", "packets-sent", false },
        };

        for (size_t i = 0; counters && i < ELEMENTSOF(fields); i++) {
                g_autofree char *text = NULL;
                guint64 value;

                if (!g_variant_lookup(counters, fields[i].key, "t", &value))
                        continue;
                text = fields[i].bytes ? format_size(value)
                                       : g_strdup_printf("%" G_GUINT64_FORMAT, value);
                printf("      %s: %s\n", fields[i].label, text);
        }
}

/* Interfaces that have counters or addresses, each once, in the order of their names. */
static GPtrArray *interfaces_of(const Object *o, GVariant *network) {
        g_autoptr(GVariant) addresses = object_get_value(o, "Addresses", "a(sssus)");
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; network && i < g_variant_n_children(network); i++) {
                char *name;

                g_variant_get_child(network, i, "{s@a{st}}", &name, NULL);
                g_ptr_array_add(names, name);
        }
        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                char *name;

                g_variant_get_child(addresses, i, "(sssus)", &name, NULL, NULL, NULL, NULL);
                if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                        g_free(name);
                else
                        g_ptr_array_add(names, name);
        }
        format_sort(names);
        return names;
}

static void print_network(const Object *o, GVariant *state) {
        g_autoptr(GVariant) network = NULL;
        g_autoptr(GPtrArray) interfaces = NULL;

        network = g_variant_lookup_value(state, "network", G_VARIANT_TYPE("a{sa{st}}"));
        interfaces = interfaces_of(o, network);
        if (interfaces->len > 0)
                printf("  Network usage:\n");
        for (size_t i = 0; i < interfaces->len; i++) {
                const char *name = g_ptr_array_index(interfaces, i);
                g_autofree char *shown = format_printable(name);
                g_autoptr(GVariant) counters = NULL;

                printf("    %s:\n", shown);
                if (network)
                        counters = g_variant_lookup_value(network, name, G_VARIANT_TYPE("a{st}"));
                print_counters(counters);
                print_addresses(o, name);
        }
}

static void print_resources(const Object *o, GVariant *state) {
        guint32 processes;
        guint64 usec;

        if (g_variant_n_children(state) == 0)
                return;
        printf("\nResources:\n");
        if (g_variant_lookup(state, "processes", "u", &processes))
                printf("  Processes: %u\n", processes);
        if (g_variant_lookup(state, "cpu-usage", "t", &usec))
                printf("  CPU usage:\n    CPU usage (in seconds): %" G_GUINT64_FORMAT "\n",
                       usec / G_USEC_PER_SEC);
        printf("  Memory usage:\n");
        print_size("Memory (current)", state, "memory-current");
        print_size("Memory (peak)", state, "memory-peak");
        print_size("Swap (current)", state, "swap-current");
        print_network(o, state);
}

static int info_service(Client *c, OutputFormat format, Error *ret_error) {
        g_autoptr(Object) manager = NULL;
        GVariantBuilder b;
        int r;

        r = client_get_object(c, OBJECT_MANAGER, BERTH_ROOT_PATH, &manager, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "server",
                              g_variant_new_string("berth"));
        g_variant_builder_add(&b, "{sv}", "server_version",
                              g_variant_new_string(object_get_string(manager, "Version")));
        g_variant_builder_add(&b, "{sv}", "api", g_variant_new_string(BERTH_BUS_NAME));
        g_variant_builder_add(&b, "{sv}", "architecture",
                              g_variant_new_string(object_get_string(manager, "Architecture")));
        return record_print(g_variant_builder_end(&b), format, ret_error);
}

static int info_read(Client *c, const char *path, Object **ret_container, GVariant **ret_state,
                     Error *ret_error) {
        const char *interface = object_kind_to_interface(OBJECT_CONTAINER);
        g_autoptr(Object) o = g_new0(Object, 1);
        Call calls[] = {
                { .path = path, .interface = "org.freedesktop.DBus.Properties",
                  .member = "GetAll", .arguments = g_variant_new("(s)", interface) },
                { .path = path, .interface = interface, .member = "GetState",
                  .arguments = g_variant_new("(a{sv})", NULL) },
        };
        int r;

        r = client_connect(c, ret_error);
        if (r >= 0)
                r = connection_call_many(c->connection, calls, ELEMENTSOF(calls), ret_error);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(calls); i++) {
                if (calls[i].error.message) {
                        r = -error_code_to_errno(calls[i].error.code);
                        error_move(ret_error, &calls[i].error);
                } else if (!g_variant_is_of_type(calls[i].reply, G_VARIANT_TYPE("(a{sv})")))
                        r = error_set(ret_error, ERROR_FAILED,
                                      "The answer to %s() is malformed", calls[i].member);
        }
        if (r >= 0) {
                o->kind = OBJECT_CONTAINER;
                o->path = g_strdup(path);
                o->properties = g_variant_get_child_value(calls[0].reply, 0);
                (void) object_parse_path(path, NULL, &o->name);
                *ret_state = g_variant_get_child_value(calls[1].reply, 0);
                *ret_container = TAKE_PTR(o);
        }
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                call_done(&calls[i]);
        return r;
}

/* Asked for only where there are some. */
static int read_snapshots(Client *c, const Object *o, GPtrArray **ret, Error *ret_error) {
        g_autoptr(GVariant) paths = object_get_value(o, "Snapshots", "ao"), managed = NULL;
        int r;

        if (!paths || g_variant_n_children(paths) == 0) {
                *ret = g_ptr_array_new();
                return 0;
        }
        r = client_get_managed(c, &managed, ret_error);
        if (r >= 0)
                *ret = snapshots_of(managed, o->path);
        return r;
}

static int info_container(Client *c, OutputFormat format, Error *ret_error) {
        g_autoptr(GVariant) state = NULL, record = NULL;
        g_autoptr(GPtrArray) snapshots = NULL;
        g_autoptr(Object) o = NULL;
        g_autofree char *path = NULL;
        GVariantBuilder b;
        int r;

        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = info_read(c, path, &o, &state, ret_error);
        if (r < 0)
                return r;
        r = read_snapshots(c, o, &snapshots, ret_error);
        if (r < 0)
                return r;
        if (format == OUTPUT_TABLE) {
                print_head(o);
                print_resources(o, state);
                if (snapshots->len > 0) {
                        printf("\nSnapshots:\n");
                        r = snapshots_print(snapshots, ret_error);
                }
                if (r < 0 || !client_flag(c, "show-log"))
                        return r;
                printf("\nLog:\n\n");
                return console_print_log(c, path, "GetLog", ret_error);
        }
        record = g_variant_ref_sink(container_to_record(o));
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        for (size_t i = 0; i < g_variant_n_children(record); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(record, i);

                g_variant_builder_add_value(&b, entry);
        }
        g_variant_builder_add(&b, "{sv}", "resources", state);
        g_variant_builder_add(&b, "{sv}", "snapshots", snapshots_to_record(snapshots));
        return record_print(g_variant_builder_end(&b), format, ret_error);
}

int run_info(Client *c, Error *ret_error) {
        bool service = client_n_arguments(c) == 0 ||
                       g_str_equal(client_argument(c, 0), "local:");
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), service ? OUTPUT_YAML : OUTPUT_TABLE,
                                &format, ret_error);
        if (r < 0)
                return r;
        return service ? info_service(c, format, ret_error)
                       : info_container(c, format, ret_error);
}
