/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/format.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

#define LOCAL_ONLY "berth works on this machine only"
#define COLUMNS_DEFAULT "tndcu"

const Option volume_list_options[] = {
        { "columns", 'c', "LETTERS",
          "c content, d description, n name, t type, u used by, U usage; "
          COLUMNS_DEFAULT, NULL },
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { "all-projects", 0, NULL, NULL, "berth has no projects" },
        { NULL },
};

/* "" where the pool does not count, or may not be asked. */
static char *usage_to_string(GVariant *reply) {
        g_autoptr(GVariant) usage = NULL;
        guint64 used;

        if (!reply || !g_variant_is_of_type(reply, G_VARIANT_TYPE("(a{sv})")))
                return g_strdup("");
        usage = g_variant_get_child_value(reply, 0);
        return g_variant_lookup(usage, "used", "t", &used) ? format_size_binary(used)
                                                           : g_strdup("");
}

void volume_read_usage(Client *c, Object *const *volumes, size_t n, char **ret) {
        g_autofree Call *calls = g_new0(Call, n);
        Error error = { 0 };

        for (size_t i = 0; i < n; i++)
                calls[i] = (Call) {
                        .path = volumes[i]->path,
                        .interface = object_kind_to_interface(OBJECT_VOLUME),
                        .member = "GetDiskUsage",
                        .arguments = g_variant_new("(a{sv})", NULL),
                };
        if (connection_call_many(c->connection, calls, n, &error) < 0)
                error_clear(&error);
        for (size_t i = 0; i < n; i++) {
                ret[i] = usage_to_string(calls[i].reply);
                call_done(&calls[i]);
        }
}

typedef struct Column {
        char letter;
        const char *heading;
        char *(*make)(const Object *o); /* to be freed; NULL: what it holds */
        const char *refusal;
} Column;

static char *make_type(const Object *o) {
        return g_strdup("custom");
}

static char *make_name(const Object *o) {
        return g_strdup(o->name);
}

static char *make_description(const Object *o) {
        return g_strdup(object_get_string(o, "Description"));
}

static char *make_content(const Object *o) {
        return g_strdup("filesystem");
}

static char *make_users(const Object *o) {
        g_autoptr(GVariant) users = object_get_value(o, "UsedBy", "ao");

        return g_strdup_printf("%zu", users ? g_variant_n_children(users) : 0);
}

static const Column column_table[] = {
        { 'c', "CONTENT-TYPE", make_content },
        { 'd', "DESCRIPTION", make_description },
        { 'L', NULL, NULL, LOCAL_ONLY },
        { 'e', NULL, NULL, "berth has no projects" },
        { 'n', "NAME", make_name },
        { 't', "TYPE", make_type },
        { 'u', "USED BY", make_users },
        { 'U', "USAGE" },
};

static int columns_read(const char *letters, GPtrArray *columns, Error *ret_error) {
        for (const char *p = letters; *p; p++) {
                const Column *found = NULL;

                if (*p == ',')
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(column_table); i++)
                        if (column_table[i].letter == *p)
                                found = &column_table[i];
                if (!found)
                        return client_usage_error(ret_error, "There is no column '%c'",
                                                  g_ascii_isprint(*p) ? *p : '?');
                if (found->refusal)
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "There is no column '%c': %s", *p, found->refusal);
                g_ptr_array_add(columns, (void *) found);
        }
        return 0;
}

static GVariant *volume_to_record(const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(o->name));
        g_variant_builder_add(&b, "{sv}", "type", g_variant_new_string("custom"));
        g_variant_builder_add(&b, "{sv}", "content_type", g_variant_new_string("filesystem"));
        g_variant_builder_add(&b, "{sv}", "description",
                              g_variant_new_string(object_get_string(o, "Description")));
        g_variant_builder_add(&b, "{sv}", "status",
                              g_variant_new_string(object_get_string(o, "State")));
        g_variant_builder_add(&b, "{sv}", "used_by", settings_used_by(o));
        return g_variant_builder_end(&b);
}

/* Borrowed from `all`. */
static GPtrArray *volumes_in(const GPtrArray *all, const char *pool) {
        g_autofree char *prefix = g_strconcat(pool, "/volume/", NULL);
        GPtrArray *volumes = g_ptr_array_new();

        for (guint i = 0; i < all->len; i++)
                if (g_str_has_prefix(((const Object *) all->pdata[i])->path, prefix))
                        g_ptr_array_add(volumes, all->pdata[i]);
        return volumes;
}

static void add_row(Table *table, const Object *o, const char *usage, const GPtrArray *columns) {
        table_add_row(table, volume_to_record(o));
        for (guint i = 0; i < columns->len; i++) {
                const Column *column = columns->pdata[i];
                g_autofree char *text = column->make ? column->make(o) : g_strdup(usage);

                table_add_cell(table, text);
        }
}

static int print_list(Client *c, const GPtrArray *volumes, const GPtrArray *columns,
                      OutputFormat format, Error *ret_error) {
        g_autoptr(GPtrArray) headings = g_ptr_array_new();
        g_auto(GStrv) usages = g_new0(char *, volumes->len + 1);
        g_autoptr(Table) table = NULL;
        bool with_usage = false;

        for (guint i = 0; i < columns->len; i++) {
                const Column *column = columns->pdata[i];

                g_ptr_array_add(headings, (void *) column->heading);
                with_usage |= !column->make;
        }
        g_ptr_array_add(headings, NULL);
        if (with_usage)
                volume_read_usage(c, (Object *const *) volumes->pdata, volumes->len, usages);
        table = table_new((const char *const *) headings->pdata);
        for (guint i = 0; i < volumes->len; i++)
                add_row(table, volumes->pdata[i], usages[i], columns);
        return table_print(table, format, ret_error);
}

int volume_run_list(Client *c, Error *ret_error) {
        const char *letters = client_option(c, "columns") ?: COLUMNS_DEFAULT;
        g_autoptr(GPtrArray) columns = g_ptr_array_new(), all = NULL, volumes = NULL;
        g_autoptr(Object) pool = NULL;
        g_autofree char *path = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = columns_read(letters, columns, ret_error);
        if (r >= 0)
                r = client_object_path(OBJECT_POOL, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = client_get_object(c, OBJECT_POOL, path, &pool, ret_error);
        if (r >= 0)
                r = client_get_objects(c, OBJECT_VOLUME, NULL, &all, ret_error);
        if (r < 0)
                return r;
        volumes = volumes_in(all, path);
        return print_list(c, volumes, columns, format, ret_error);
}
