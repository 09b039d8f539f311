/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/devices.h"
#include "client/settings.h"
#include "client/table.h"
#include "service/util/cleanup.h"

static int profile_show(Client *c, Error *ret_error) {
        return settings_run_show(c, OBJECT_PROFILE, ret_error);
}

static int profile_get(Client *c, Error *ret_error) {
        return settings_run_get(c, OBJECT_PROFILE, ret_error);
}

static int profile_set(Client *c, Error *ret_error) {
        return settings_run_set(c, OBJECT_PROFILE, ret_error);
}

static int profile_unset(Client *c, Error *ret_error) {
        return settings_run_unset(c, OBJECT_PROFILE, ret_error);
}

static int profile_edit(Client *c, Error *ret_error) {
        return settings_run_edit(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_add(Client *c, Error *ret_error) {
        return devices_run_add(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_remove(Client *c, Error *ret_error) {
        return devices_run_remove(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_set(Client *c, Error *ret_error) {
        return devices_run_set(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_unset(Client *c, Error *ret_error) {
        return devices_run_unset(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_get(Client *c, Error *ret_error) {
        return devices_run_get(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_list(Client *c, Error *ret_error) {
        return devices_run_list(c, OBJECT_PROFILE, ret_error);
}

static int profile_device_show(Client *c, Error *ret_error) {
        return devices_run_show(c, OBJECT_PROFILE, ret_error);
}

static GVariant *profile_to_record(const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(o->name));
        g_variant_builder_add(&b, "{sv}", "description",
                              g_variant_new_string(object_get_string(o, "Description")));
        g_variant_builder_add(&b, "{sv}", "used_by", settings_used_by(o));
        return g_variant_builder_end(&b);
}

static int profile_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "NAME", "DESCRIPTION", "USED BY", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GPtrArray) profiles = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        r = client_get_objects(c, OBJECT_PROFILE, NULL, &profiles, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < profiles->len; i++) {
                const Object *o = g_ptr_array_index(profiles, i);
                g_autoptr(GVariant) users = object_get_value(o, "UsedBy", "ao");
                g_autofree char *n_users = NULL;

                n_users = g_strdup_printf("%zu", users ? g_variant_n_children(users) : 0);
                table_add_row(table, profile_to_record(o));
                table_add_cell(table, o->name);
                table_add_cell(table, object_get_string(o, "Description"));
                table_add_cell(table, n_users);
        }
        return table_print(table, format, ret_error);
}

static int profile_create(Client *c, Error *ret_error) {
        g_autofree char *name = NULL;
        GVariantDict options;
        int r;

        r = client_object_name(client_argument(c, 0), &name, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CreateProfile",
                        g_variant_new("(s@a{sv})", name, g_variant_dict_end(&options)), "(o)",
                        NULL, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Profile %s created", name);
        return 0;
}

static int profile_delete(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_autofree char *path = NULL;
                int r;

                r = client_object_path(OBJECT_PROFILE, client_argument(c, i), &path, ret_error);
                if (r < 0)
                        return r;
                r = client_call(c, OBJECT_PROFILE, path, "Delete", g_variant_new("(a{sv})", NULL),
                                "()", NULL, ret_error);
                if (r < 0)
                        return r;
                client_say(c, "Profile %s deleted", client_argument(c, i));
        }
        return 0;
}

static int profile_rename(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *name = NULL;
        int r;

        r = client_object_path(OBJECT_PROFILE, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r < 0)
                return r;
        r = client_call(c, OBJECT_PROFILE, path, "Rename", g_variant_new("(sa{sv})", name, NULL),
                        "(o)", NULL, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Profile %s renamed to %s", client_argument(c, 0), name);
        return 0;
}

static int profile_copy(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *name = NULL;
        g_autoptr(Settings) s = NULL;
        GVariantDict options;
        int r;

        r = client_object_path(OBJECT_PROFILE, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r < 0)
                return r;
        /* A copy without the values that may be secrets would be no copy. */
        r = settings_read(c, OBJECT_PROFILE, path, SETTINGS_SECRETS, &s, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert_value(&options, "config", s->config);
        g_variant_dict_insert_value(&options, "devices", s->devices);
        g_variant_dict_insert(&options, "description", "s",
                              object_get_string(s->object, "Description"));
        return client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CreateProfile",
                           g_variant_new("(s@a{sv})", name, g_variant_dict_end(&options)), "(o)",
                           NULL, ret_error);
}

/* Replaces the list of a container's profiles, if nobody changed it since `o` was read. */
static int container_set_profiles(Client *c, const Object *o, GPtrArray *profiles,
                                  Error *ret_error) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "profiles",
                              g_variant_new_strv((const char *const *) profiles->pdata,
                                                 profiles->len));
        g_variant_builder_add(&b, "{sv}", "if-revision",
                              g_variant_new_uint64(object_get_number(o, "Revision")));
        return settings_update(c, OBJECT_CONTAINER, o->path, NULL, NULL, g_variant_builder_end(&b),
                               ret_error);
}

static int container_of_argument(Client *c, Object **ret, GPtrArray **ret_profiles,
                                 Error *ret_error) {
        g_autoptr(GPtrArray) profiles = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GVariant) value = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = client_get_object(c, OBJECT_CONTAINER, path, &o, ret_error);
        if (r < 0)
                return r;
        value = object_get_value(o, "Profiles", "as");
        for (size_t i = 0; value && i < g_variant_n_children(value); i++) {
                char *name;

                g_variant_get_child(value, i, "s", &name);
                g_ptr_array_add(profiles, name);
        }
        *ret = TAKE_PTR(o);
        *ret_profiles = TAKE_PTR(profiles);
        return 0;
}

static int profile_add(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) profiles = NULL;
        const char *name = client_argument(c, 1);
        g_autoptr(Object) o = NULL;
        int r;

        r = container_of_argument(c, &o, &profiles, ret_error);
        if (r < 0)
                return r;
        if (g_ptr_array_find_with_equal_func(profiles, name, g_str_equal, NULL))
                return error_set(ret_error, ERROR_EXISTS,
                                 "Container '%s' uses profile '%s' already", o->name, name);
        g_ptr_array_add(profiles, g_strdup(name));
        r = container_set_profiles(c, o, profiles, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Profile %s added to %s", name, o->name);
        return 0;
}

static int profile_remove(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) profiles = NULL;
        const char *name = client_argument(c, 1);
        g_autoptr(Object) o = NULL;
        guint index;
        int r;

        r = container_of_argument(c, &o, &profiles, ret_error);
        if (r < 0)
                return r;
        if (!g_ptr_array_find_with_equal_func(profiles, name, g_str_equal, &index))
                return error_set(ret_error, ERROR_NO_SUCH_PROFILE,
                                 "Container '%s' does not use profile '%s'", o->name, name);
        g_ptr_array_remove_index(profiles, index);
        r = container_set_profiles(c, o, profiles, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Profile %s removed from %s", name, o->name);
        return 0;
}

static int profile_assign(Client *c, Error *ret_error) {
        g_auto(GStrv) names = g_strsplit(client_argument(c, 1), ",", -1);
        g_autoptr(GPtrArray) old = NULL, profiles = g_ptr_array_new();
        g_autofree char *shown = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = container_of_argument(c, &o, &old, ret_error);
        if (r < 0)
                return r;
        /* "" means none. */
        for (char **name = names; *name; name++)
                if (**name)
                        g_ptr_array_add(profiles, *name);
        r = container_set_profiles(c, o, profiles, ret_error);
        if (r < 0)
                return r;
        g_ptr_array_add(profiles, NULL);
        shown = g_strjoinv(", ", (char **) profiles->pdata);
        client_say(c, "Profiles %s applied to %s", *shown ? shown : "(none)", o->name);
        return 0;
}

static const Option create_profile_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { NULL },
};

static const Option profile_copy_options[] = {
        { "target-project", 0, "NAME", NULL, "berth has no projects" },
        { NULL },
};

static const Command device_commands[] = {
        { "add", NULL, "<profile> <device> <type> [<key>=<value>...]", "Add a device", NULL, "p-to",
          3, -1, .run = profile_device_add },
        { "get", NULL, "<profile> <device> <key>", "Print an option of a device", NULL, "p-", 3, 3,
          .run = profile_device_get },
        { "list", "ls", "<profile>", "List devices", NULL, "p-", 1, 1, .run = profile_device_list },
        { "remove", "rm", "<profile> <device>...", "Remove devices", NULL, "p-", 2, -1,
          .run = profile_device_remove },
        { "set", NULL, "<profile> <device> <key>=<value>...", "Set options of a device", NULL,
          "p-", 3, -1, .run = profile_device_set },
        { "show", NULL, "<profile>", "Show devices as YAML", client_show_options, "p-", 1, 1,
          .run = profile_device_show },
        { "unset", NULL, "<profile> <device> <key>", "Remove an option of a device", NULL, "p-", 3,
          3, .run = profile_device_unset },
        { NULL },
};

const Command profile_commands[] = {
        { "add", NULL, "<container> <profile>", "Add a profile to a container", NULL, "cp-", 2, 2,
          .run = profile_add },
        { "assign", "apply", "<container> <profile>[,<profile>...]",
          "Replace a container's profiles", NULL, "cp-", 2, 2, .run = profile_assign },
        { "copy", "cp", "<profile> <new name>", "Copy a profile", profile_copy_options, "p-", 2, 2,
          .run = profile_copy },
        { "create", NULL, "<profile>", "Create a profile", create_profile_options, "-", 1, 1,
          .run = profile_create },
        { "delete", "rm", "<profile>...", "Delete profiles", NULL, "p", 1, -1,
          .run = profile_delete },
        { "device", NULL, NULL, "Manage devices of a profile", .children = device_commands },
        { "edit", NULL, "<profile>", "Edit a profile as YAML", NULL, "p-", 1, 1,
          .run = profile_edit },
        { "get", NULL, "<profile> <key>", "Print the value of a key", NULL, "pl", 2, 2,
          .run = profile_get },
        { "list", "ls", "", "List profiles", client_list_options, "-", 0, 1, .run = profile_list },
        { "remove", NULL, "<container> <profile>", "Remove a profile from a container", NULL, "cp-",
          2, 2, .run = profile_remove },
        { "rename", "mv", "<profile> <new name>", "Rename a profile", NULL, "p-", 2, 2,
          .run = profile_rename },
        { "set", NULL, "<profile> <key>=<value>...", "Set keys", NULL, "pl", 2, -1,
          .run = profile_set },
        { "show", NULL, "<profile>", "Show a profile as YAML", client_show_options, "p-", 1, 1,
          .run = profile_show },
        { "unset", NULL, "<profile> <key>", "Remove a key", NULL, "pl", 2, 2,
          .run = profile_unset },
        { NULL },
};
