/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/container-details.h"
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

static void print_interface(GVariant *interface) {
        static const struct {
                const char *label, *key;
                bool upper;
        } fields[] = {
                { "Type", "type", false },
                { "State", "state", true },
                { "Host interface", "host-name", false },
                { "MAC address", "hwaddr", false },
        };
        guint32 mtu;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                g_autofree char *shown = NULL, *upper = NULL;
                const char *value;

                if (!g_variant_lookup(interface, fields[i].key, "&s", &value))
                        continue;
                upper = g_ascii_strup(value, -1);
                shown = format_printable(fields[i].upper ? upper : value);
                printf("      %s: %s\n", fields[i].label, shown);
        }
        if (g_variant_lookup(interface, "mtu", "u", &mtu))
                printf("      MTU: %u\n", mtu);
}

static void print_network(const ContainerDetails *d) {
        g_autoptr(GPtrArray) interfaces = container_interfaces(d);

        if (interfaces->len > 0)
                printf("  Network usage:\n");
        for (size_t i = 0; i < interfaces->len; i++) {
                const char *name = g_ptr_array_index(interfaces, i);
                g_autoptr(GVariant) counters = container_counters(d, name);
                g_autoptr(GVariant) interface = container_interface(d, name);
                g_autofree char *shown = format_printable(name);

                printf("    %s:\n", shown);
                if (interface)
                        print_interface(interface);
                print_counters(counters);
                print_addresses(d->container, name);
        }
}

static void print_disk(const ContainerDetails *d) {
        g_autofree char *used = NULL, *size = NULL;
        uint64_t bytes;

        if (!container_details_number(d, DETAIL_DISK, "used", &bytes))
                return;
        used = format_size_binary(bytes);
        if (container_details_number(d, DETAIL_DISK, "size", &bytes))
                size = format_size_binary(bytes);
        printf("  Disk usage:\n    root: %s%s%s\n", used, size ? " of " : "", size ?: "");
}

static void print_size(const char *label, const ContainerDetails *d, const char *key) {
        g_autofree char *text = NULL;
        uint64_t bytes;

        if (!container_details_number(d, DETAIL_STATE, key, &bytes))
                return;
        text = format_size_binary(bytes);
        printf("    %s: %s\n", label, text);
}

static void print_resources(const ContainerDetails *d) {
        bool up = g_variant_n_children(d->answers[DETAIL_STATE]) > 0;
        uint64_t n;

        if (!up && !container_details_number(d, DETAIL_DISK, "used", &n))
                return;
        printf("\nResources:\n");
        if (container_details_number(d, DETAIL_STATE, "processes", &n))
                printf("  Processes: %" G_GUINT64_FORMAT "\n", n);
        print_disk(d);
        if (!up)
                return;
        if (container_details_number(d, DETAIL_STATE, "cpu-usage", &n))
                printf("  CPU usage:\n    CPU usage (in seconds): %" G_GUINT64_FORMAT "\n",
                       n / G_USEC_PER_SEC);
        printf("  Memory usage:\n");
        print_size("Memory (current)", d, "memory-current");
        print_size("Memory (peak)", d, "memory-peak");
        print_size("Memory (limit)", d, "memory-limit");
        print_size("Swap (current)", d, "swap-current");
        print_network(d);
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

/* Properties and counters, which everybody may see, at the same time as the use of the disk, which
 * is left out where it is refused. */
static int info_read(Client *c, const char *path, Object **ret_container, ContainerDetails *d,
                     Error *ret_error) {
        const char *interface = object_kind_to_interface(OBJECT_CONTAINER);
        enum { PROPERTIES, STATE, DISK };
        g_autoptr(Object) o = g_new0(Object, 1);
        Call calls[] = {
                [PROPERTIES] = { .path = path, .interface = "org.freedesktop.DBus.Properties",
                                 .member = "GetAll",
                                 .arguments = g_variant_new("(s)", interface) },
                [STATE] = { .path = path, .interface = interface, .member = "GetState",
                            .arguments = g_variant_new("(a{sv})", NULL) },
                [DISK] = { .path = path, .interface = interface, .member = "GetDiskUsage",
                           .arguments = g_variant_new("(a{sv})", NULL) },
        };
        int r;

        r = client_connect(c, ret_error);
        if (r >= 0)
                r = connection_call_many(c->connection, calls, ELEMENTSOF(calls), ret_error);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(calls); i++) {
                if (i == DISK && calls[i].error.message)
                        continue;
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
                o->properties = g_variant_get_child_value(calls[PROPERTIES].reply, 0);
                (void) object_parse_path(path, NULL, &o->name);
                d->container = o;
                d->answers[DETAIL_STATE] = g_variant_get_child_value(calls[STATE].reply, 0);
                if (calls[DISK].reply)
                        d->answers[DETAIL_DISK] = g_variant_get_child_value(calls[DISK].reply, 0);
                *ret_container = TAKE_PTR(o);
        }
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                call_done(&calls[i]);
        return r;
}

/* What a record has and text does not. */
static int info_ask(Client *c, GArray *one, Error *ret_error) {
        int r = 0;

        for (Detail detail = 0; r >= 0 && detail < _DETAIL_MAX; detail++)
                if (detail != DETAIL_STATE && detail != DETAIL_DISK)
                        r = container_details_ask(c, one, detail, ret_error);
        return r;
}

/* Of all containers; asked for only where this one has some. */
static int read_snapshots(Client *c, const Object *o, GPtrArray **ret, Error *ret_error) {
        g_autoptr(GVariant) paths = object_get_value(o, "Snapshots", "ao");

        if (paths && g_variant_n_children(paths) > 0)
                return client_get_objects(c, OBJECT_SNAPSHOT, NULL, ret, ret_error);
        *ret = g_ptr_array_new();
        return 0;
}

static int info_print(Client *c, const ContainerDetails *d, const GPtrArray *snapshots,
                      Error *ret_error) {
        int r = 0;

        print_head(d->container);
        print_resources(d);
        if (snapshots->len > 0) {
                printf("\nSnapshots:\n");
                r = snapshots_print(snapshots, ret_error);
        }
        if (r < 0 || !client_flag(c, "show-log"))
                return r;
        printf("\nLog:\n\n");
        return console_print_log(c, d->container->path, "GetLog", ret_error);
}

static int info_container(Client *c, OutputFormat format, Error *ret_error) {
        g_autoptr(GArray) one = g_array_new(FALSE, TRUE, sizeof(ContainerDetails));
        g_autoptr(GPtrArray) all = NULL, snapshots = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Object) o = NULL;
        ContainerDetails *d;
        int r;

        g_array_set_clear_func(one, container_details_clear);
        g_array_set_size(one, 1);
        d = &g_array_index(one, ContainerDetails, 0);
        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = info_read(c, path, &o, d, ret_error);
        if (r >= 0 && format != OUTPUT_TABLE)
                r = info_ask(c, one, ret_error);
        if (r >= 0)
                r = read_snapshots(c, o, &all, ret_error);
        if (r < 0)
                return r;
        snapshots = snapshots_among(all, path);
        if (format == OUTPUT_TABLE)
                return info_print(c, d, snapshots, ret_error);
        return record_print(container_to_record(d, snapshots_to_record(snapshots)), format,
                            ret_error);
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
