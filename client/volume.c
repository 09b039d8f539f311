/* SPDX-License-Identifier: Apache-2.0 */
#include "client/volume.h"

#include <stdio.h>
#include <string.h>

#include "client/container-record.h"
#include "client/format.h"
#include "client/job.h"
#include "client/settings.h"
#include "service/util/cleanup.h"

#define LOCAL_ONLY "berth works on this machine only"

/* --- naming --- */

int volume_path(const char *pool, const char *argument, char **ret, char **ret_snapshot,
                Error *ret_error) {
        static const char *const others[] = { "container", "virtual-machine", "image", NULL };
        g_autofree char *pool_name = NULL, *full = NULL;
        g_auto(GStrv) parts = g_strsplit(argument, "/", -1);
        char **name = parts;
        int r;

        r = client_object_name(pool, &pool_name, ret_error);
        if (r < 0)
                return r;
        if (parts[0] && parts[1] && g_strv_contains(others, parts[0]))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "'%s' is no volume of a user's own", argument);
        if (parts[0] && parts[1] && g_str_equal(parts[0], "custom"))
                name++;
        if (!name[0] || !*name[0] || (name[1] && (!*name[1] || name[2])) ||
            !g_utf8_validate(argument, -1, NULL) || strchr(pool_name, '/'))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "A volume is written VOLUME, its snapshot VOLUME/SNAPSHOT");
        if (name[1] && !ret_snapshot)
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "This is not for snapshots of a volume");
        full = g_strconcat(pool_name, "/", name[0], NULL);
        *ret = object_make_path(OBJECT_VOLUME, full);
        if (ret_snapshot)
                *ret_snapshot = g_strdup(name[1]);
        return 0;
}

int volume_path_of_arguments(Client *c, char **ret, char **ret_snapshot, Error *ret_error) {
        return volume_path(client_argument(c, 0), client_argument(c, 1), ret, ret_snapshot,
                           ret_error);
}

/* --- settings --- */

static int volume_show(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *snapshot = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = volume_path_of_arguments(c, &path, &snapshot, ret_error);
        if (r < 0 || !snapshot)
                return r < 0 ? r : settings_show(c, OBJECT_VOLUME, path, ret_error);
        r = client_get_object(c, OBJECT_VOLUME, path, &o, ret_error);
        return r < 0 ? r : volume_show_snapshot(c, o, snapshot, ret_error);
}

static int volume_get(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        return r < 0 ? r : settings_get(c, OBJECT_VOLUME, path, client_argument(c, 2), ret_error);
}

static int volume_set(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        return r < 0 ? r : settings_set(c, OBJECT_VOLUME, path, 2, ret_error);
}

static int volume_unset(Client *c, Error *ret_error) {
        const char *key = client_argument(c, 2);
        g_autofree char *path = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        return r < 0 ? r : settings_update(c, OBJECT_VOLUME, path, NULL,
                                           g_variant_new_strv(&key, 1), NULL, ret_error);
}

static int volume_edit(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        return r < 0 ? r : settings_edit(c, OBJECT_VOLUME, path, ret_error);
}

/* --- info --- */

static void print_field(const char *label, const char *value) {
        g_autofree char *shown = format_printable(value);

        if (*value)
                printf("%s: %s\n", label, shown);
}

static int volume_info(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *owner = NULL, *size = NULL, *created = NULL, *usage = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = volume_path_of_arguments(c, &path, NULL, ret_error);
        if (r >= 0)
                r = client_get_object(c, OBJECT_VOLUME, path, &o, ret_error);
        if (r < 0)
                return r;
        owner = container_owner(o);
        created = format_time(object_get_number(o, "Created"));
        if (object_get_number(o, "Size") > 0)
                size = format_size_binary(object_get_number(o, "Size"));
        print_field("Name", o->name);
        print_field("Description", object_get_string(o, "Description"));
        print_field("Type", "custom");
        print_field("Content type", "filesystem");
        print_field("Owner", owner);
        volume_read_usage(c, &o, 1, &usage);
        print_field("Usage", usage);
        print_field("Size", size ?: "");
        print_field("Created", created);
        volume_print_snapshots(o);
        return 0;
}

/* --- create, delete, rename --- */

static int volume_create(Client *c, Error *ret_error) {
        g_autofree char *pool = NULL, *name = NULL;
        g_autoptr(GVariant) config = NULL;
        GVariantDict options;
        int r;

        if (g_strcmp0(client_option(c, "type"), "block") == 0)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Volumes of blocks are for virtual machines");
        r = client_object_path(OBJECT_POOL, client_argument(c, 0), &pool, ret_error);
        if (r >= 0)
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r >= 0)
                r = settings_parse_assignments(c, 2, &config, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        r = job_run(c, OBJECT_POOL, pool, "CreateVolume",
                    g_variant_new("(s@a{ss}@a{sv})", name, config, g_variant_dict_end(&options)),
                    ret_error);
        if (r >= 0)
                client_say(c, "Storage volume %s created", name);
        return r;
}

static int volume_delete(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *snapshot = NULL;
        int r = volume_path_of_arguments(c, &path, &snapshot, ret_error);

        if (r < 0)
                return r;
        r = snapshot ? job_run(c, OBJECT_VOLUME, path, "DeleteSnapshot",
                               g_variant_new("(sa{sv})", snapshot, NULL), ret_error)
                     : job_run(c, OBJECT_VOLUME, path, "Delete", g_variant_new("(a{sv})", NULL),
                               ret_error);
        if (r >= 0)
                client_say(c, "Storage volume %s deleted", client_argument(c, 1));
        return r;
}

static int volume_rename(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *snapshot = NULL, *to = NULL, *to_snapshot = NULL;
        g_autofree char *name = NULL;
        int r = volume_path_of_arguments(c, &path, &snapshot, ret_error);

        if (r >= 0)
                r = volume_path(client_argument(c, 0), client_argument(c, 2), &to, &to_snapshot,
                                ret_error);
        if (r < 0)
                return r;
        (void) object_parse_path(to, NULL, &name);
        if (!snapshot && to_snapshot)
                return client_usage_error(ret_error, "A volume does not become a snapshot");
        if (snapshot && to_snapshot && !g_str_equal(path, to))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "A snapshot stays with its volume; 'berth storage volume copy' "
                                 "makes a volume of it");
        if (snapshot)
                return job_run(c, OBJECT_VOLUME, path, "RenameSnapshot",
                               g_variant_new("(ssa{sv})", snapshot, to_snapshot ?: name, NULL),
                               ret_error);
        r = job_run(c, OBJECT_VOLUME, path, "Rename", g_variant_new("(sa{sv})", name, NULL),
                    ret_error);
        if (r >= 0)
                client_say(c, "Renamed storage volume from \"%s\" to \"%s\"",
                           client_argument(c, 1), name);
        return r;
}

/* --- table --- */

#define TARGET { "target", 0, "MEMBER", NULL, LOCAL_ONLY }

static const Option create_volume_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { "type", 0, "TYPE", "filesystem", NULL },
        TARGET,
        { NULL },
};

static const Option plain_options[] = {
        TARGET,
        { NULL },
};

static const Option show_volume_options[] = {
        { "format", 'f', "FORMAT", "yaml (default) or json", NULL },
        TARGET,
        { NULL },
};

const Command volume_commands[] = {
        { "attach", NULL, "<pool> <volume> <container> [<device>] [<path>]",
          "Give a container a volume", NULL, "svc-", 3, 5, .run = volume_run_attach },
        { "attach-profile", NULL, "<pool> <volume> <profile> [<device>] [<path>]",
          "Give a profile a volume", NULL, "svp-", 3, 5, .run = volume_run_attach_profile },
        { "copy", "cp", "<pool>/<volume>[/<snapshot>] <pool>/<volume>", "Copy a volume",
          volume_copy_options, "w-", 2, 2, .run = volume_run_copy },
        { "create", NULL, "<pool> <volume> [<key>=<value>...]", "Create a volume",
          create_volume_options, "s-r", 2, -1, .run = volume_create },
        { "delete", "rm", "<pool> <volume>[/<snapshot>]", "Delete a volume or a snapshot of it",
          plain_options, "sv-", 2, 2, .run = volume_delete },
        { "detach", NULL, "<pool> <volume> <container> [<device>]",
          "Take a volume from a container", NULL, "svc-", 3, 4, .run = volume_run_detach },
        { "detach-profile", NULL, "<pool> <volume> <profile> [<device>]",
          "Take a volume from a profile", NULL, "svp-", 3, 4, .run = volume_run_detach_profile },
        { "edit", NULL, "<pool> <volume>", "Edit a volume as YAML", plain_options, "sv-", 2, 2,
          .run = volume_edit },
        { "export", NULL, "<pool> <volume> [<file>]",
          "Write a volume and its snapshots to an archive", volume_export_options, "sv-", 2, 3,
          .run = volume_run_export },
        { "get", NULL, "<pool> <volume> <key>", "Print the value of a key", plain_options, "svr", 3,
          3, .run = volume_get },
        { "import", NULL, "<pool> <file> [<volume>]", "Make a volume of an archive",
          volume_import_options, "s-", 2, 3, .run = volume_run_import },
        { "info", NULL, "<pool> <volume>", "Show a volume and its snapshots", plain_options, "sv-",
          2, 2, .run = volume_info },
        { "list", "ls", "<pool>", "List volumes", volume_list_options, "s-", 1, 1,
          .run = volume_run_list },
        { "move", "mv", "<pool>/<volume> <pool>/<volume>",
          "Rename a volume, or put it on another pool", volume_move_options, "w-", 2, 2,
          .run = volume_run_move },
        { "rename", NULL, "<pool> <volume>[/<snapshot>] <new name>",
          "Rename a volume or a snapshot of it", plain_options, "sv-", 3, 3,
          .run = volume_rename },
        { "restore", NULL, "<pool> <volume> <snapshot>", "Bring a volume back to a snapshot",
          plain_options, "sv-", 3, 3, .run = volume_run_restore },
        { "set", NULL, "<pool> <volume> <key>=<value>...", "Set keys", plain_options, "svr", 3, -1,
          .run = volume_set },
        { "show", NULL, "<pool> <volume>[/<snapshot>]", "Show a volume as YAML",
          show_volume_options, "sv-", 2, 2, .run = volume_show },
        { "snapshot", NULL, "<pool> <volume> [<snapshot>]", "Take a snapshot of a volume",
          volume_snapshot_options, "sv-", 2, 3, .run = volume_run_snapshot },
        { "unset", NULL, "<pool> <volume> <key>", "Unset a key", plain_options, "svr", 3, 3,
          .run = volume_unset },
        { NULL },
};
