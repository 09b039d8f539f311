/* SPDX-License-Identifier: Apache-2.0 */
#include "client/commands.h"
#include "client/job.h"
#include "client/settings.h"
#include "client/table.h"
#include "service/util/cleanup.h"

static int network_show(Client *c, Error *ret_error) {
        return settings_run_show(c, OBJECT_NETWORK, ret_error);
}

static int network_get(Client *c, Error *ret_error) {
        return settings_run_get(c, OBJECT_NETWORK, ret_error);
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
        g_autoptr(GVariant) managed = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        r = client_get_managed(c, &managed, ret_error);
        if (r < 0)
                return r;
        table_set_state_column(table, 7);
        networks = objects_select(managed, OBJECT_NETWORK);
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

const Command network_commands[] = {
        { "create", NULL, "<network> [<key>=<value>...]", "Create a network",
          create_network_options, "-", 1, -1, .run = network_create },
        { "delete", "rm", "<network>...", "Delete networks", NULL, "n", 1, -1,
          .run = network_delete },
        { "get", NULL, "<network> <key>", "Print the value of a key", NULL, "n-", 2, 2,
          .run = network_get },
        { "list", "ls", "", "List networks", client_list_options, "-", 0, 1, .run = network_list },
        { "show", NULL, "<network>", "Show a network as YAML", client_show_options, "n-", 1, 1,
          .run = network_show },
        { NULL },
};
