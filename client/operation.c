/* SPDX-License-Identifier: Apache-2.0 */
#include "client/commands.h"
#include "client/format.h"
#include "client/table.h"
#include "service/util/cleanup.h"

static GVariant *job_to_record(const Object *o) {
        static const char *const texts[][2] = {
                { "description", "Operation" }, { "status", "State" }, { "stage", "Stage" },
                { "result", "Result" },         { "error", "ErrorMessage" },
        };
        g_autoptr(GVariant) objects = object_get_value(o, "Objects", "ao");
        g_autofree char *started = format_time_rfc3339(object_get_number(o, "Started"));
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "id", g_variant_new_string(o->name));
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                g_variant_builder_add(&b, "{sv}", texts[i][0],
                                      g_variant_new_string(object_get_string(o, texts[i][1])));
        g_variant_builder_add(&b, "{sv}", "progress",
                              g_variant_new_double(object_get_double(o, "Progress")));
        g_variant_builder_add(&b, "{sv}", "created_at", g_variant_new_string(started));
        g_variant_builder_add(&b, "{sv}", "may_cancel",
                              g_variant_new_boolean(object_get_boolean(o, "Cancelable")));
        g_variant_builder_add(&b, "{sv}", "owner",
                              g_variant_new_uint64(object_get_number(o, "Owner")));
        if (objects)
                g_variant_builder_add(&b, "{sv}", "objects", objects);
        return g_variant_builder_end(&b);
}

static int operation_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "ID", "DESCRIPTION", "STATUS", "STAGE",
                                                "CANCELABLE", "CREATED", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GPtrArray) jobs = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        r = client_get_objects(c, OBJECT_JOB, NULL, &jobs, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < jobs->len; i++) {
                const Object *o = g_ptr_array_index(jobs, i);
                g_autofree char *state = g_ascii_strup(object_get_string(o, "State"), -1);
                g_autofree char *started = format_time(object_get_number(o, "Started"));

                table_add_row(table, job_to_record(o));
                table_add_cell(table, o->name);
                table_add_cell(table, object_get_string(o, "Operation"));
                table_add_cell(table, state);
                table_add_cell(table, object_get_string(o, "Stage"));
                table_add_cell(table, object_get_boolean(o, "Cancelable") ? "YES" : "NO");
                table_add_cell(table, started);
        }
        return table_print(table, format, ret_error);
}

/* By its number, or as its path has it: "/org/berth1/job/_31", or "_31" alone. */
static int get_path(Client *c, char **ret, Error *ret_error) {
        const char *id = client_argument(c, 0);
        g_autofree char *path = g_strconcat(BERTH_ROOT_PATH "/job/", id, NULL);
        bool is_encoded = *id == '_' && object_parse_path(path, NULL, NULL);

        return client_object_path(OBJECT_JOB, is_encoded ? path : id, ret, ret_error);
}

static int operation_show(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        g_autoptr(Object) o = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        r = get_path(c, &path, ret_error);
        if (r < 0)
                return r;
        r = client_get_object(c, OBJECT_JOB, path, &o, ret_error);
        if (r < 0)
                return r;
        return record_print(job_to_record(o), format, ret_error);
}

static int operation_delete(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = get_path(c, &path, ret_error);
        if (r < 0)
                return r;
        r = client_call(c, OBJECT_JOB, path, "Cancel", g_variant_new("(a{sv})", NULL), "()", NULL,
                        ret_error);
        if (r < 0)
                return r;
        client_say(c, "Operation %s cancelled", client_argument(c, 0));
        return 0;
}

const Command operation_commands[] = {
        { "delete", "cancel rm", "<id>", "Cancel a job", NULL, "j-", 1, 1,
          .run = operation_delete },
        { "list", "ls", "", "List jobs", client_list_options, "-", 0, 1, .run = operation_list },
        { "show", NULL, "<id>", "Show a job", client_show_options, "j-", 1, 1,
          .run = operation_show },
        { NULL },
};
