/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"
#include "client/network-attach.h"
#include "client/network-forward.h"
#include "client/settings.h"
#include "client/table.h"
#include "service/util/cleanup.h"

static int network_show(Client *c, Error *ret_error) {
        return settings_run_show(c, OBJECT_NETWORK, ret_error);
}

static int network_get(Client *c, Error *ret_error) {
        return settings_run_get(c, OBJECT_NETWORK, ret_error);
}

static int network_set(Client *c, Error *ret_error) {
        return settings_run_set(c, OBJECT_NETWORK, ret_error);
}

static int network_unset(Client *c, Error *ret_error) {
        return settings_run_unset(c, OBJECT_NETWORK, ret_error);
}

static int network_edit(Client *c, Error *ret_error) {
        return settings_run_edit(c, OBJECT_NETWORK, ret_error);
}

static int network_attach(Client *c, Error *ret_error) {
        return network_run_attach(c, OBJECT_CONTAINER, ret_error);
}

static int network_attach_profile(Client *c, Error *ret_error) {
        return network_run_attach(c, OBJECT_PROFILE, ret_error);
}

static int network_detach(Client *c, Error *ret_error) {
        return network_run_detach(c, OBJECT_CONTAINER, ret_error);
}

static int network_detach_profile(Client *c, Error *ret_error) {
        return network_run_detach(c, OBJECT_PROFILE, ret_error);
}

static GVariant *network_to_record(const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(o->name));
        g_variant_builder_add(&b, "{sv}", "type",
                              g_variant_new_string(object_get_string(o, "Type")));
        g_variant_builder_add(&b, "{sv}", "description",
                              g_variant_new_string(object_get_string(o, "Description")));
        g_variant_builder_add(&b, "{sv}", "status",
                              g_variant_new_string(object_get_string(o, "State")));
        g_variant_builder_add(&b, "{sv}", "ipv4_address",
                              g_variant_new_string(object_get_string(o, "IPv4Address")));
        g_variant_builder_add(&b, "{sv}", "ipv6_address",
                              g_variant_new_string(object_get_string(o, "IPv6Address")));
        g_variant_builder_add(&b, "{sv}", "used_by", settings_used_by(o));
        return g_variant_builder_end(&b);
}

static int network_list(Client *c, Error *ret_error) {
        static const char *const headings[] = {
                "NAME", "TYPE", "MANAGED", "IPV4", "IPV6", "DESCRIPTION", "USED BY", "STATE", NULL,
        };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GPtrArray) networks = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        r = client_get_objects(c, OBJECT_NETWORK, NULL, &networks, ret_error);
        if (r < 0)
                return r;
        table_set_state_column(table, 7);
        for (size_t i = 0; i < networks->len; i++) {
                const Object *o = g_ptr_array_index(networks, i);
                g_autofree char *state = g_ascii_strup(object_get_string(o, "State"), -1);
                g_autoptr(GVariant) users = object_get_value(o, "UsedBy", "ao");
                g_autofree char *n_users = NULL;

                n_users = g_strdup_printf("%zu", users ? g_variant_n_children(users) : 0);
                table_add_row(table, network_to_record(o));
                table_add_cell(table, o->name);
                table_add_cell(table, object_get_string(o, "Type"));
                /* The service knows of no other networks than its own. */
                table_add_cell(table, "YES");
                table_add_cell(table, object_get_string(o, "IPv4Address"));
                table_add_cell(table, object_get_string(o, "IPv6Address"));
                table_add_cell(table, object_get_string(o, "Description"));
                table_add_cell(table, n_users);
                table_add_cell(table, state);
        }
        return table_print(table, format, ret_error);
}

static int network_create(Client *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        g_autofree char *name = NULL;
        GVariantDict options;
        int r;

        r = client_object_name(client_argument(c, 0), &name, ret_error);
        if (r < 0)
                return r;
        r = settings_parse_assignments(c, 1, &config, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        r = job_run(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CreateNetwork",
                    g_variant_new("(ss@a{ss}@a{sv})", name, client_option(c, "type") ?: "bridge",
                                  config, g_variant_dict_end(&options)),
                    ret_error);
        if (r < 0)
                return r;
        client_say(c, "Network %s created", name);
        return 0;
}

static int network_rename(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *name = NULL;
        int r;

        r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r >= 0)
                r = job_run(c, OBJECT_NETWORK, path, "Rename",
                            g_variant_new("(sa{sv})", name, NULL), ret_error);
        if (r >= 0)
                client_say(c, "Network %s renamed to %s", client_argument(c, 0), name);
        return r;
}

static void add_lease(Table *table, GVariant *lease) {
        const char *name, *hwaddr, *address, *type;
        g_autofree char *upper = NULL;
        GVariantBuilder b;
        guint64 expires;

        g_variant_get(lease, "(&s&s&s&st)", &name, &hwaddr, &address, &type, &expires);
        upper = g_ascii_strup(type, -1);
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "hostname", g_variant_new_string(name));
        g_variant_builder_add(&b, "{sv}", "hwaddr", g_variant_new_string(hwaddr));
        g_variant_builder_add(&b, "{sv}", "address", g_variant_new_string(address));
        g_variant_builder_add(&b, "{sv}", "type", g_variant_new_string(type));
        g_variant_builder_add(&b, "{sv}", "location", g_variant_new_string("none"));
        table_add_row(table, g_variant_builder_end(&b));
        table_add_cell(table, name);
        table_add_cell(table, hwaddr);
        table_add_cell(table, address);
        table_add_cell(table, upper);
}

static int network_list_leases(Client *c, Error *ret_error) {
        static const char *const headings[] = { "HOSTNAME", "MAC ADDRESS", "IP ADDRESS", "TYPE",
                                                NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GVariant) reply = NULL, leases = NULL;
        g_autofree char *path = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = client_call(c, OBJECT_NETWORK, path, "GetLeases",
                                g_variant_new("(a{sv})", NULL), "(a(sssst))", &reply, ret_error);
        if (r < 0)
                return r;
        leases = g_variant_get_child_value(reply, 0);
        for (size_t i = 0; i < g_variant_n_children(leases); i++) {
                g_autoptr(GVariant) lease = g_variant_get_child_value(leases, i);

                add_lease(table, lease);
        }
        return table_print(table, format, ret_error);
}

static void print_line(const char *key, const char *value) {
        g_autofree char *shown = format_printable(value);

        printf("%s: %s\n", key, shown);
}

static int network_info(Client *c, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, state = NULL;
        g_autofree char *path = NULL;
        const char *hwaddr = "", *error = "";
        guint64 counters[4] = { 0 };
        g_autoptr(Object) o = NULL;
        guint32 mtu = 0;
        int r;

        r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = client_get_object(c, OBJECT_NETWORK, path, &o, ret_error);
        if (r >= 0)
                r = client_call(c, OBJECT_NETWORK, path, "GetState",
                                g_variant_new("(a{sv})", NULL), "(a{sv})", &reply, ret_error);
        if (r < 0)
                return r;
        state = g_variant_get_child_value(reply, 0);
        (void) g_variant_lookup(state, "hwaddr", "&s", &hwaddr);
        (void) g_variant_lookup(state, "mtu", "u", &mtu);
        (void) g_variant_lookup(state, "error", "&s", &error);
        (void) g_variant_lookup(state, "bytes-received", "t", &counters[0]);
        (void) g_variant_lookup(state, "bytes-sent", "t", &counters[1]);
        (void) g_variant_lookup(state, "packets-received", "t", &counters[2]);
        (void) g_variant_lookup(state, "packets-sent", "t", &counters[3]);
        print_line("Name", o->name);
        print_line("MAC address", hwaddr);
        printf("MTU: %u\n", mtu);
        print_line("State", object_get_string(o, "State"));
        if (*error)
                print_line("Error", error);
        print_line("Type", object_get_string(o, "Type"));
        printf("\nIP addresses:\n");
        print_line("  inet", object_get_string(o, "IPv4Address"));
        print_line("  inet6", object_get_string(o, "IPv6Address"));
        printf("\nNetwork usage:\n"
               "  Bytes received: %" PRIu64 "\n  Bytes sent: %" PRIu64 "\n"
               "  Packets received: %" PRIu64 "\n  Packets sent: %" PRIu64 "\n",
               counters[0], counters[1], counters[2], counters[3]);
        return 0;
}

static int network_delete(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_autofree char *path = NULL;
                int r;

                r = client_object_path(OBJECT_NETWORK, client_argument(c, i), &path, ret_error);
                if (r < 0)
                        return r;
                r = job_run(c, OBJECT_NETWORK, path, "Delete", g_variant_new("(a{sv})", NULL),
                            ret_error);
                if (r < 0)
                        return r;
                client_say(c, "Network %s deleted", client_argument(c, i));
        }
        return 0;
}

static const Option create_network_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { "type", 't', "TYPE", "Type of the network; bridge by default", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static const Option target_options[] = {
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

const Command network_commands[] = {
        { .name = "acl",
          .refusal = "security.port_isolation of their nics closes containers to each other, "
                     "ipv4.firewall and ipv6.firewall of a network the host to them" },
        { "attach", NULL, "<network> <container> [<device>] [<interface>]",
          "Give a container a nic on a network", NULL, "nc--", 2, 4, .run = network_attach },
        { "attach-profile", NULL, "<network> <profile> [<device>] [<interface>]",
          "Give a profile a nic on a network", NULL, "np--", 2, 4,
          .run = network_attach_profile },
        { "create", NULL, "<network> [<key>=<value>...]", "Create a network",
          create_network_options, "-", 1, -1, .run = network_create },
        { "delete", "rm", "<network>...", "Delete networks", NULL, "n", 1, -1,
          .run = network_delete },
        { "detach", NULL, "<network> <container> [<device>]",
          "Take the nic on a network from a container", NULL, "nc-", 2, 3,
          .run = network_detach },
        { "detach-profile", NULL, "<network> <profile> [<device>]",
          "Take the nic on a network from a profile", NULL, "np-", 2, 3,
          .run = network_detach_profile },
        { "edit", NULL, "<network>", "Edit a network as YAML", NULL, "n", 1, 1,
          .run = network_edit },
        { "forward", NULL, NULL, "Manage addresses of the host that lead to containers",
          .children = network_forward_commands },
        { "get", NULL, "<network> <key>", "Print the value of a key", target_options, "nm", 2, 2,
          .run = network_get },
        { "info", NULL, "<network>", "Show the state of a network", target_options, "n", 1, 1,
          .run = network_info },
        { "list", "ls", "", "List networks", client_list_options, "-", 0, 1, .run = network_list },
        { "list-leases", NULL, "<network>", "List the addresses that are taken",
          client_list_options, "n-", 1, 1, .run = network_list_leases },
        { .name = "peer", .refusal = "networks of one host reach each other without" },
        { "rename", "mv", "<network> <new name>", "Rename a network that nothing uses", NULL, "n-",
          2, 2, .run = network_rename },
        { "set", NULL, "<network> <key>=<value>...", "Set keys", target_options, "nm", 2, -1,
          .run = network_set },
        { "show", NULL, "<network>", "Show a network as YAML", client_show_options, "n-", 1, 1,
          .run = network_show },
        { "unset", NULL, "<network> <key>", "Unset a key", target_options, "nm", 2, 2,
          .run = network_unset },
        { .name = "zone",
          .refusal = "names of containers are in the domain of their network, see dns.domain" },
        { NULL },
};
