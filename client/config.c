/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/devices.h"
#include "client/settings.h"
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
        return settings_run_show(c, OBJECT_CONTAINER, ret_error);
}

static int config_get(Client *c, Error *ret_error) {
        return settings_run_get(c, OBJECT_CONTAINER, ret_error);
}

static int config_set(Client *c, Error *ret_error) {
        return settings_run_set(c, OBJECT_CONTAINER, ret_error);
}

static int config_unset(Client *c, Error *ret_error) {
        return settings_run_unset(c, OBJECT_CONTAINER, ret_error);
}

static int config_edit(Client *c, Error *ret_error) {
        return settings_run_edit(c, OBJECT_CONTAINER, ret_error);
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
          "c-", 3, -1, .run = config_device_add },
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
        { "unset", NULL, "<container> <device> <key>", "Remove an option of a device", NULL, "c-",
          3, 3, .run = config_device_unset },
        { NULL },
};

const Command config_commands[] = {
        { "device", NULL, NULL, "Manage devices of a container", .children = device_commands },
        { "edit", NULL, "<container>", "Edit the configuration as YAML", set_options, "c-", 0, 1,
          .run = config_edit },
        { "get", NULL, "<container> <key>", "Print the value of a key", get_options, "c-", 1, 2,
          .run = config_get },
        { "set", NULL, "<container> <key>=<value>...", "Set keys", set_options, "c-", 1, -1,
          .run = config_set },
        { "show", NULL, "<container>[/<snapshot>]", "Show the configuration as YAML", show_options,
          "h-", 0, 1, .run = config_show },
        { "unset", NULL, "<container> <key>", "Remove a key", set_options, "c-", 1, 2,
          .run = config_unset },
        { NULL },
};
