/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"
#include "client/settings.h"
#include "client/snapshot.h"
#include "service/util/cleanup.h"

const Option snapshot_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        { "no-expiry", 0, NULL, "Keep it, whatever snapshots.expiry says", NULL },
        { "reuse", 0, NULL, "Replace a snapshot of that name", NULL },
        { "stateful", 0, NULL, "With the state of its processes, which go on", NULL },
        { NULL },
};

const Option restore_options[] = {
        { "stateful", 0, NULL, "Its processes, too, go on where they were then", NULL },
        { NULL },
};

int client_instance_path(const char *argument, ObjectKind *ret_kind, char **ret,
                         Error *ret_error) {
        g_autofree char *name = NULL;
        int r;

        r = client_object_name(argument, &name, ret_error);
        if (r < 0)
                return r;
        if (!strchr(name, '/')) {
                *ret_kind = OBJECT_CONTAINER;
                return client_object_path(OBJECT_CONTAINER, argument, ret, ret_error);
        }
        if (name[0] == '/' || g_str_has_suffix(name, "/") || strchr(strchr(name, '/') + 1, '/') ||
            !g_utf8_validate(name, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "A snapshot is written CONTAINER/SNAPSHOT");
        *ret_kind = OBJECT_SNAPSHOT;
        *ret = object_make_path(OBJECT_SNAPSHOT, name);
        return 0;
}

static GVariant *snapshot_options_to_variant(Client *c) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (client_option(c, "description"))
                g_variant_dict_insert(&options, "description", "s",
                                      client_option(c, "description"));
        if (client_flag(c, "no-expiry"))
                g_variant_dict_insert(&options, "expires", "t", UINT64_C(0));
        if (client_flag(c, "reuse"))
                g_variant_dict_insert(&options, "reuse", "b", TRUE);
        if (client_flag(c, "stateful"))
                g_variant_dict_insert(&options, "stateful", "b", TRUE);
        return g_variant_dict_end(&options);
}

/* The name that the service has made up. */
static int say_name(Client *c, Job *job, Error *ret_error) {
        g_autoptr(GVariant) objects = NULL;
        g_autoptr(GPtrArray) names = NULL;
        int r;

        r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        names = object_names(objects);
        if (names->len > 0)
                client_say(c, "Snapshot name is: %s", (char *) g_ptr_array_index(names, 0));
        return 0;
}

int run_snapshot(Client *c, Error *ret_error) {
        const char *name = client_argument(c, 1);
        g_autofree char *path = NULL;
        g_autoptr(Job) job = NULL;
        int r;

        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = job_start(c, OBJECT_CONTAINER, path, "CreateSnapshot",
                              g_variant_new("(s@a{sv})", name ?: "",
                                            snapshot_options_to_variant(c)),
                              &job, ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r < 0 || name)
                return r;
        return say_name(c, job, ret_error);
}

int run_restore(Client *c, Error *ret_error) {
        const char *name = client_argument(c, 1);
        g_autofree char *path = NULL, *container = NULL, *whole = NULL;
        GVariantDict options;
        int r;

        r = client_object_name(client_argument(c, 0), &whole, ret_error);
        if (r < 0)
                return r;
        if (!name && strchr(whole, '/')) {
                container = g_strndup(whole, strcspn(whole, "/"));
                name = strchr(whole, '/') + 1;
        } else if (!name)
                return client_usage_error(ret_error, "Which snapshot of '%s'?", whole);
        r = client_object_path(OBJECT_CONTAINER, container ?: whole, &path, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        if (client_flag(c, "stateful"))
                g_variant_dict_insert(&options, "stateful", "b", TRUE);
        return job_run(c, OBJECT_CONTAINER, path, "RestoreSnapshot",
                       g_variant_new("(s@a{sv})", name, g_variant_dict_end(&options)), ret_error);
}

int snapshot_rename(Client *c, const char *path, const char *to, Error *ret_error) {
        g_autofree char *name = NULL, *parent = NULL, *own = NULL;
        const char *last;
        int r;

        r = client_object_name(to, &name, ret_error);
        if (r < 0)
                return r;
        last = strchr(name, '/');
        if (last) {
                parent = g_strndup(name, (gsize) (last - name));
                own = object_make_path(OBJECT_CONTAINER, parent);
                if (!g_str_has_prefix(path, own) || path[strlen(own)] != '/')
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "A snapshot stays with its container; 'berth copy' makes "
                                         "a container of it");
        }
        return job_run(c, OBJECT_SNAPSHOT, path, "Rename",
                       g_variant_new("(sa{sv})", last ? last + 1 : name, NULL), ret_error);
}

GVariant *snapshot_to_record(const Settings *s) {
        g_autofree char *expires = NULL, *created = NULL;
        GVariantBuilder b;

        expires = format_time_rfc3339(object_get_number(s->object, "Expires"));
        created = format_time_rfc3339(object_get_number(s->object, "Created"));
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(s->object->name));
        g_variant_builder_add(&b, "{sv}", "description",
                              g_variant_new_string(object_get_string(s->object, "Description")));
        g_variant_builder_add(&b, "{sv}", "created_at", g_variant_new_string(created));
        g_variant_builder_add(&b, "{sv}", "expires_at", g_variant_new_string(expires));
        g_variant_builder_add(&b, "{sv}", "stateful",
                              g_variant_new_boolean(object_get_boolean(s->object, "Stateful")));
        g_variant_builder_add(&b, "{sv}", "config", s->config);
        g_variant_builder_add(&b, "{sv}", "devices", s->devices);
        g_variant_builder_add(&b, "{sv}", "profiles",
                              object_get_value(s->object, "Profiles", "as")
                                      ?: g_variant_new_strv(NULL, 0));
        return g_variant_builder_end(&b);
}

int snapshot_show(Client *c, const char *path, OutputFormat format, Error *ret_error) {
        g_autoptr(Settings) s = NULL;
        int r;

        r = settings_read(c, OBJECT_SNAPSHOT, path,
                          client_flag(c, "expanded") ? SETTINGS_EXPANDED : 0, &s, ret_error);
        return r < 0 ? r : record_print(snapshot_to_record(s), format, ret_error);
}

static int compare_created(gconstpointer a, gconstpointer b) {
        uint64_t x = object_get_number(*(Object *const *) a, "Created");
        uint64_t y = object_get_number(*(Object *const *) b, "Created");

        return x < y ? -1 : x > y;
}

GPtrArray *snapshots_among(const GPtrArray *snapshots, const char *container) {
        g_autofree char *prefix = g_strconcat(container, "/", NULL);
        GPtrArray *own = g_ptr_array_new();

        for (size_t i = 0; i < snapshots->len; i++) {
                Object *o = g_ptr_array_index(snapshots, i);

                if (g_str_has_prefix(o->path, prefix))
                        g_ptr_array_add(own, o);
        }
        g_ptr_array_sort(own, compare_created);
        return own;
}

int snapshots_print(const GPtrArray *snapshots, Error *ret_error) {
        static const char *const headings[] = { "NAME", "TAKEN AT", "EXPIRES AT", "STATEFUL",
                                                "DESCRIPTION", NULL };
        g_autoptr(Table) table = table_new(headings);

        for (size_t i = 0; i < snapshots->len; i++) {
                const Object *o = g_ptr_array_index(snapshots, i);
                g_autofree char *created = format_time(object_get_number(o, "Created"));
                g_autofree char *expires = format_time(object_get_number(o, "Expires"));

                table_add_row(table, NULL);
                table_add_cell(table, o->name);
                table_add_cell(table, created);
                table_add_cell(table, expires);
                table_add_cell(table, object_get_boolean(o, "Stateful") ? "YES" : "NO");
                table_add_cell(table, object_get_string(o, "Description"));
        }
        return table_print(table, OUTPUT_TABLE, ret_error);
}

GVariant *snapshots_to_record(const GPtrArray *snapshots) {
        GVariantBuilder list;

        g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; i < snapshots->len; i++) {
                const Object *o = g_ptr_array_index(snapshots, i);
                g_autofree char *created = format_time_rfc3339(object_get_number(o, "Created"));
                g_autofree char *expires = format_time_rfc3339(object_get_number(o, "Expires"));
                const char *description = object_get_string(o, "Description");

                g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
                g_variant_builder_add(&list, "{sv}", "name", g_variant_new_string(o->name));
                g_variant_builder_add(&list, "{sv}", "description",
                                      g_variant_new_string(description));
                g_variant_builder_add(&list, "{sv}", "created_at", g_variant_new_string(created));
                g_variant_builder_add(&list, "{sv}", "expires_at", g_variant_new_string(expires));
                g_variant_builder_close(&list);
        }
        return g_variant_builder_end(&list);
}
