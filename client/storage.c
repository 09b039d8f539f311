/* SPDX-License-Identifier: Apache-2.0 */
#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

static int storage_show(Client *c, Error *ret_error) {
        return settings_run_show(c, OBJECT_POOL, ret_error);
}

static int storage_get(Client *c, Error *ret_error) {
        return settings_run_get(c, OBJECT_POOL, ret_error);
}

static int storage_set(Client *c, Error *ret_error) {
        return settings_run_set(c, OBJECT_POOL, ret_error);
}

static int storage_unset(Client *c, Error *ret_error) {
        return settings_run_unset(c, OBJECT_POOL, ret_error);
}

static int storage_edit(Client *c, Error *ret_error) {
        return settings_run_edit(c, OBJECT_POOL, ret_error);
}

static GVariant *pool_to_record(const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(o->name));
        g_variant_builder_add(&b, "{sv}", "driver",
                              g_variant_new_string(object_get_string(o, "Driver")));
        g_variant_builder_add(&b, "{sv}", "source",
                              g_variant_new_string(object_get_string(o, "Source")));
        g_variant_builder_add(&b, "{sv}", "description",
                              g_variant_new_string(object_get_string(o, "Description")));
        g_variant_builder_add(&b, "{sv}", "status",
                              g_variant_new_string(object_get_string(o, "State")));
        g_variant_builder_add(&b, "{sv}", "used_by", settings_used_by(o));
        return g_variant_builder_end(&b);
}

static int storage_list(Client *c, Error *ret_error) {
        static const char *const headings[] = {
                "NAME", "DRIVER", "SOURCE", "DESCRIPTION", "USED BY", "STATE", NULL,
        };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GPtrArray) pools = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        r = client_get_objects(c, OBJECT_POOL, NULL, &pools, ret_error);
        if (r < 0)
                return r;
        table_set_state_column(table, 5);
        for (size_t i = 0; i < pools->len; i++) {
                const Object *o = g_ptr_array_index(pools, i);
                g_autofree char *state = g_ascii_strup(object_get_string(o, "State"), -1);
                g_autoptr(GVariant) users = object_get_value(o, "UsedBy", "ao");
                g_autofree char *n_users = NULL;

                n_users = g_strdup_printf("%zu", users ? g_variant_n_children(users) : 0);
                table_add_row(table, pool_to_record(o));
                table_add_cell(table, o->name);
                table_add_cell(table, object_get_string(o, "Driver"));
                table_add_cell(table, object_get_string(o, "Source"));
                table_add_cell(table, object_get_string(o, "Description"));
                table_add_cell(table, n_users);
                table_add_cell(table, state);
        }
        return table_print(table, format, ret_error);
}

static void record_add_size(GVariantBuilder *b, const char *key, uint64_t size, bool bytes) {
        g_autofree char *text = format_size_binary(size);

        g_variant_builder_add(b, "{sv}", key,
                              bytes ? g_variant_new_uint64(size) : g_variant_new_string(text));
}

static int storage_info(Client *c, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Object) o = NULL;
        GVariantBuilder b, info;
        guint64 total, used;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        r = client_object_path(OBJECT_POOL, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = client_get_object(c, OBJECT_POOL, path, &o, ret_error);
        if (r < 0)
                return r;
        r = client_call(c, OBJECT_POOL, path, "GetSpace", g_variant_new("(a{sv})", NULL), "(tt)",
                        &reply, ret_error);
        if (r < 0)
                return r;
        g_variant_get(reply, "(tt)", &total, &used);

        g_variant_builder_init(&info, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&info, "{sv}", "description",
                              g_variant_new_string(object_get_string(o, "Description")));
        g_variant_builder_add(&info, "{sv}", "driver",
                              g_variant_new_string(object_get_string(o, "Driver")));
        g_variant_builder_add(&info, "{sv}", "name", g_variant_new_string(o->name));
        record_add_size(&info, "space used", used, client_flag(c, "bytes"));
        record_add_size(&info, "total space", total, client_flag(c, "bytes"));
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "info", g_variant_builder_end(&info));
        g_variant_builder_add(&b, "{sv}", "used_by", settings_used_by(o));
        return record_print(g_variant_builder_end(&b), format, ret_error);
}

static int storage_create(Client *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        g_autofree char *name = NULL;
        GVariantDict options;
        int r;

        r = client_object_name(client_argument(c, 0), &name, ret_error);
        if (r < 0)
                return r;
        r = settings_parse_assignments(c, 2, &config, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        r = job_run(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CreateStoragePool",
                    g_variant_new("(ss@a{ss}@a{sv})", name, client_argument(c, 1), config,
                                  g_variant_dict_end(&options)),
                    ret_error);
        if (r < 0)
                return r;
        client_say(c, "Storage pool %s created", name);
        return 0;
}

static int storage_delete(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = client_object_path(OBJECT_POOL, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = job_run(c, OBJECT_POOL, path, "Delete", g_variant_new("(a{sv})", NULL), ret_error);
        if (r < 0)
                return r;
        client_say(c, "Storage pool %s deleted", client_argument(c, 0));
        return 0;
}

static const Option create_pool_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

static const Option info_pool_options[] = {
        { "bytes", 0, NULL, "Print plain numbers of bytes", NULL },
        { "format", 'f', "FORMAT", "yaml (default) or json", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

const Command storage_commands[] = {
        { .name = "bucket", .refusal = "berth has no object storage: use volumes" },
        { "create", NULL, "<pool> <driver> [<key>=<value>...]", "Create a storage pool",
          create_pool_options, "-", 2, -1, .run = storage_create },
        { "delete", "rm", "<pool>", "Delete a storage pool", NULL, "s-", 1, 1,
          .run = storage_delete },
        { "edit", NULL, "<pool>", "Edit a storage pool as YAML", NULL, "s-", 1, 1,
          .run = storage_edit },
        { "get", NULL, "<pool> <key>", "Print the value of a key", NULL, "s-", 2, 2,
          .run = storage_get },
        { "info", NULL, "<pool>", "Show how full a storage pool is", info_pool_options, "s-", 1, 1,
          .run = storage_info },
        { "list", "ls", "", "List storage pools", client_list_options, "-", 0, 1,
          .run = storage_list },
        { "set", NULL, "<pool> <key>=<value>...", "Set keys; a larger size makes it grow", NULL,
          "s-", 2, -1, .run = storage_set },
        { "show", NULL, "<pool>", "Show a storage pool as YAML", client_show_options, "s-", 1, 1,
          .run = storage_show },
        { "unset", NULL, "<pool> <key>", "Unset a key", NULL, "s-", 2, 2, .run = storage_unset },
        { "volume", NULL, NULL, "Manage volumes of storage pools", .children = volume_commands },
        { NULL },
};
