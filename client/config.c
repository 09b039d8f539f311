/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/devices.h"
#include "client/metadata.h"
#include "client/service-settings.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/snapshot.h"
#include "service/util/cleanup.h"

static int config_show(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        OutputFormat format;
        ObjectKind kind;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        if (client_argument(c, 0) && strchr(client_argument(c, 0), '/')) {
                r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
                return r < 0 ? r : snapshot_show(c, path, format, ret_error);
        }
        return client_n_arguments(c) == 0 ? service_settings_show(c, ret_error) :
                                            settings_run_show(c, OBJECT_CONTAINER, ret_error);
}

static int config_get(Client *c, Error *ret_error) {
        return client_n_arguments(c) == 1 ? service_settings_get(c, ret_error) :
                                            settings_run_get(c, OBJECT_CONTAINER, ret_error);
}

static int config_set(Client *c, Error *ret_error) {
        return service_settings_are_set(c) ? service_settings_set(c, ret_error) :
                                             settings_run_set(c, OBJECT_CONTAINER, ret_error);
}

static int config_unset(Client *c, Error *ret_error) {
        return client_n_arguments(c) == 1 ? service_settings_unset(c, ret_error) :
                                            settings_run_unset(c, OBJECT_CONTAINER, ret_error);
}

static int config_edit(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        ObjectKind kind;
        int r;

        if (client_n_arguments(c) == 0)
                return service_settings_edit(c, ret_error);
        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r < 0)
                return r;
        return kind == OBJECT_SNAPSHOT ? snapshot_edit(c, path, ret_error) :
                                         settings_edit(c, kind, path, ret_error);
}

static int config_device_add(Client *c, Error *ret_error) {
        return devices_run_add(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_remove(Client *c, Error *ret_error) {
        return devices_run_remove(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_set(Client *c, Error *ret_error) {
        return devices_run_set(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_unset(Client *c, Error *ret_error) {
        return devices_run_unset(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_get(Client *c, Error *ret_error) {
        return devices_run_get(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_list(Client *c, Error *ret_error) {
        return devices_run_list(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_show(Client *c, Error *ret_error) {
        return devices_run_show(c, OBJECT_CONTAINER, ret_error);
}

static int config_device_override(Client *c, Error *ret_error) {
        return devices_run_override(c, OBJECT_CONTAINER, ret_error);
}

/* --- the keys that there are --- */

static const char *lookup_string(GVariant *dict, const char *key) {
        const char *value = "";

        (void) g_variant_lookup(dict, key, "&s", &value);
        return value;
}

static bool lookup_boolean(GVariant *dict, const char *key) {
        gboolean value = FALSE;

        (void) g_variant_lookup(dict, key, "b", &value);
        return value;
}

static bool has_scope(GVariant *dict, const char *wanted) {
        g_autofree const char **scopes = NULL;

        return !wanted || (g_variant_lookup(dict, "scopes", "^a&s", &scopes) &&
                           g_strv_contains(scopes, wanted));
}

int config_for_each_key(Client *c, const char *scope, ConfigKeyFunc func, void *userdata,
                        Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, keys = NULL;
        GVariantIter iter;
        const char *name;
        GVariant *dict;
        int r;

        r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetConfigKeys",
                        g_variant_new("(a{sv})", NULL), "(a(sa{sv}))", &reply, ret_error);
        if (r < 0)
                return r;
        keys = g_variant_get_child_value(reply, 0);
        g_variant_iter_init(&iter, keys);
        while (g_variant_iter_next(&iter, "(&s@a{sv})", &name, &dict)) {
                if (has_scope(dict, scope))
                        func(name, dict, userdata);
                g_variant_unref(dict);
        }
        return 0;
}

typedef struct KeyList {
        Table *table;
        const char *only; /* keys of this scope, or that begin like this; NULL: all */
        bool found;
} KeyList;

static void add_key(const char *name, GVariant *dict, void *userdata) {
        g_autofree const char **scopes = NULL;
        g_autofree char *scope_text = NULL;
        KeyList *list = userdata;
        Table *table = list->table;
        GVariantDict record;

        if (!has_scope(dict, list->only) && !g_str_has_prefix(name, list->only))
                return;
        list->found = true;
        if (g_variant_lookup(dict, "scopes", "^a&s", &scopes))
                scope_text = g_strjoinv(",", (char **) scopes);
        g_variant_dict_init(&record, dict);
        g_variant_dict_insert(&record, "name", "s", name);
        table_add_row(table, g_variant_dict_end(&record));
        table_add_cell(table, name);
        table_add_cell(table, lookup_string(dict, "type"));
        table_add_cell(table, lookup_string(dict, "default"));
        table_add_cell(table, lookup_boolean(dict, "live") ? "yes" : "no");
        table_add_cell(table, lookup_string(dict, "action"));
        table_add_cell(table, scope_text ?: "");
        table_add_cell(table, lookup_string(dict, "help"));
}

static int config_keys(Client *c, Error *ret_error) {
        static const char *const headings[] = { "KEY", "TYPE", "DEFAULT", "LIVE", "ACTION", "SCOPE",
                                                "DESCRIPTION", NULL };
        g_autoptr(Table) table = table_new(headings);
        KeyList list = { table, client_argument(c, 0), false };
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = config_for_each_key(c, NULL, add_key, &list, ret_error);
        if (r < 0)
                return r;
        if (!list.found)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "There is neither a scope '%s' nor a key that begins like that; "
                                 "see berth config keys", list.only);
        return table_print(table, format, ret_error);
}

/* --- the types of devices that there are --- */

int config_for_each_device_type(Client *c, ConfigKeyFunc func, void *userdata, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, types = NULL;
        GVariantIter iter;
        const char *name;
        GVariant *dict;
        int r;

        r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetDeviceTypes",
                        g_variant_new("(a{sv})", NULL), "(a(sa{sv}))", &reply, ret_error);
        if (r < 0)
                return r;
        types = g_variant_get_child_value(reply, 0);
        g_variant_iter_init(&iter, types);
        while (g_variant_iter_next(&iter, "(&s@a{sv})", &name, &dict)) {
                func(name, dict, userdata);
                g_variant_unref(dict);
        }
        return 0;
}

typedef struct TypeList {
        Table *table;
        const char *only; /* this one; NULL: all */
        bool found;
} TypeList;

static void add_type_row(Table *table, const char *type, const char *option, GVariant *dict) {
        GVariantDict record;

        g_variant_dict_init(&record, dict);
        g_variant_dict_insert(&record, "device", "s", type);
        g_variant_dict_insert(&record, "option", "s", option);
        table_add_row(table, g_variant_dict_end(&record));
        table_add_cell(table, type);
        table_add_cell(table, option);
        table_add_cell(table, lookup_string(dict, "type"));
        table_add_cell(table, lookup_boolean(dict, "required") ? "yes" : "no");
        table_add_cell(table, lookup_string(dict, "help"));
}

static void add_type(const char *name, GVariant *dict, void *userdata) {
        TypeList *list = userdata;
        g_autoptr(GVariantIter) options = NULL;
        const char *option;
        GVariant *row;

        if ((list->only && !g_str_equal(list->only, name)) ||
            !g_variant_lookup(dict, "options", "a(sa{sv})", &options))
                return;
        list->found = true;
        if (g_variant_iter_n_children(options) == 0)
                add_type_row(list->table, name, "", dict);
        while (g_variant_iter_next(options, "(&s@a{sv})", &option, &row)) {
                add_type_row(list->table, name, option, row);
                g_variant_unref(row);
        }
}

static int config_device_types(Client *c, Error *ret_error) {
        static const char *const headings[] = { "TYPE", "OPTION", "VALUE", "REQUIRED",
                                                "DESCRIPTION", NULL };
        g_autoptr(Table) table = table_new(headings);
        TypeList list = { table, client_argument(c, 0), false };
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = config_for_each_device_type(c, add_type, &list, ret_error);
        if (r < 0)
                return r;
        if (list.only && !list.found)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "There is no device type \"%s\"; see berth config device types",
                                 list.only);
        return table_print(table, format, ret_error);
}

static const Option set_options[] = {
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static const Option get_options[] = {
        { "expanded", 'e', NULL, "With what the profiles add", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static const Option show_options[] = {
        { "expanded", 'e', NULL, "With what the profiles add", NULL },
        { "format", 'f', "FORMAT", "yaml (default) or json", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static const Command device_commands[] = {
        { "add", NULL, "<container> <device> <type> [<key>=<value>...]", "Add a device", NULL,
          "c-to", 3, -1, .run = config_device_add },
        { "get", NULL, "<container> <device> <key>", "Print an option of a device", NULL, "c-", 3,
          3, .run = config_device_get },
        { "list", "ls", "<container>", "List the container's own devices", NULL, "c-", 1, 1,
          .run = config_device_list },
        { "override", NULL, "<container> <device> [<key>=<value>...]",
          "Copy a profile's device to the container and change it", NULL, "c-", 2, -1,
          .run = config_device_override },
        { "remove", "rm", "<container> <device>...", "Remove devices", NULL, "c-", 2, -1,
          .run = config_device_remove },
        { "set", NULL, "<container> <device> <key>=<value>...", "Set options of a device", NULL,
          "c-", 3, -1, .run = config_device_set },
        { "show", NULL, "<container>", "Show devices as YAML", show_options, "c-", 1, 1,
          .run = config_device_show },
        { "types", NULL, "[type]", "List the types of devices and their options",
          client_list_options, "t-", 0, 1, .run = config_device_types },
        { "unset", NULL, "<container> <device> <key>", "Remove an option of a device", NULL, "c-",
          3, 3, .run = config_device_unset },
        { NULL },
};

const Command config_commands[] = {
        { "device", NULL, NULL, "Manage devices of a container", .children = device_commands },
        { "edit", NULL, "[<container>[/<snapshot>]]",
          "Edit the configuration as YAML, of the service without a container", set_options, "h-",
          0, 1, .run = config_edit },
        { "get", NULL, "[<container>] <key>", "Print the value of a key", get_options, "ck", 1, 2,
          .run = config_get },
        { "keys", NULL, "[container|profile|network|pool|volume|service|<key>]",
          "List the keys that there are",
          client_list_options, "-", 0, 1, .run = config_keys },
        { "metadata", NULL, NULL, "Manage what the image of a container said of itself",
          .children = metadata_commands },
        { "set", NULL, "[<container>] <key>=<value>...",
          "Set keys of a container, or of the service", set_options, "ck", 1, -1,
          .run = config_set },
        { "show", NULL, "[<container>[/<snapshot>]]", "Show the configuration as YAML",
          show_options, "h-", 0, 1, .run = config_show },
        { "template", NULL, NULL, "Manage texts that files of a container are made from",
          .children = template_commands },
        { .name = "trust",
          .refusal = "nobody reaches berth over the network, so there are no certificates: polkit "
                     "decides who may do what here, see berth-polkit(7)" },
        { "unset", NULL, "[<container>] <key>", "Remove a key", set_options, "ck", 1, 2,
          .run = config_unset },
        { NULL },
};
