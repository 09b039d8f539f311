/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/format.h"
#include "client/job.h"
#include "client/table.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

const Option volume_snapshot_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { "no-expiry", 0, NULL, "Keep it, whatever snapshots.expiry says", NULL },
        { "reuse", 0, NULL, "Replace a snapshot of that name", NULL },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

int volume_run_snapshot(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        g_autoptr(Job) job = NULL;
        GVariantDict options;
        const char *name = "";
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        if (client_flag(c, "no-expiry"))
                g_variant_dict_insert(&options, "expires", "t", UINT64_C(0));
        if (client_flag(c, "reuse"))
                g_variant_dict_insert(&options, "reuse", "b", TRUE);
        r = job_start(c, OBJECT_VOLUME, path, "CreateSnapshot",
                      g_variant_new("(s@a{sv})", client_argument(c, 2) ?: "",
                                    g_variant_dict_end(&options)),
                      &job, ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r < 0 || client_argument(c, 2))
                return r;
        if (g_variant_is_of_type(job_get_reply(job), G_VARIANT_TYPE("(os)")))
                g_variant_get(job_get_reply(job), "(o&s)", NULL, &name);
        client_say(c, "Snapshot name is: %s", name);
        return 0;
}

int volume_run_restore(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r = volume_path_of_arguments(c, &path, NULL, ret_error);

        return r < 0 ? r : job_run(c, OBJECT_VOLUME, path, "RestoreSnapshot",
                                   g_variant_new("(sa{sv})", client_argument(c, 2), NULL),
                                   ret_error);
}

static const char *get_text(GVariant *snapshot, const char *key) {
        const char *text = "";

        (void) g_variant_lookup(snapshot, key, "&s", &text);
        return text;
}

static uint64_t get_time(GVariant *snapshot, const char *key) {
        guint64 usec = 0;

        (void) g_variant_lookup(snapshot, key, "t", &usec);
        return usec;
}

int volume_show_snapshot(Client *c, const Object *volume, const char *name, Error *ret_error) {
        g_autoptr(GVariant) snapshots = object_get_value(volume, "Snapshots", "aa{sv}");
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        for (gsize i = 0; snapshots && i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) s = g_variant_get_child_value(snapshots, i);
                g_autofree char *created = format_time_rfc3339(get_time(s, "created"));
                g_autofree char *expires = format_time_rfc3339(get_time(s, "expires"));
                GVariantBuilder b;

                if (!g_str_equal(get_text(s, "name"), name))
                        continue;
                g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
                g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(name));
                g_variant_builder_add(&b, "{sv}", "description",
                                      g_variant_new_string(get_text(s, "description")));
                g_variant_builder_add(&b, "{sv}", "created_at", g_variant_new_string(created));
                g_variant_builder_add(&b, "{sv}", "expires_at", g_variant_new_string(expires));
                return record_print(g_variant_builder_end(&b), format, ret_error);
        }
        return error_set(ret_error, ERROR_NO_SUCH_SNAPSHOT, "Volume '%s' has no snapshot '%s'",
                         volume->name, name);
}

void volume_print_snapshots(const Object *volume) {
        static const char *const headings[] = { "NAME", "TAKEN AT", "EXPIRES AT", "DESCRIPTION",
                                                NULL };
        g_autoptr(GVariant) snapshots = object_get_value(volume, "Snapshots", "aa{sv}");
        g_autoptr(Table) table = table_new(headings);

        if (!snapshots || g_variant_n_children(snapshots) == 0)
                return;
        for (gsize i = 0; i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) s = g_variant_get_child_value(snapshots, i);
                g_autofree char *created = format_time(get_time(s, "created"));
                g_autofree char *expires = format_time(get_time(s, "expires"));

                table_add_row(table, NULL);
                table_add_cell(table, get_text(s, "name"));
                table_add_cell(table, created);
                table_add_cell(table, expires);
                table_add_cell(table, get_text(s, "description"));
        }
        printf("\nSnapshots:\n");
        (void) table_print(table, OUTPUT_TABLE, NULL);
}
