/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/job.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

#define LOCAL_ONLY "berth works on this machine only"

const Option volume_copy_options[] = {
        { "volume-only", 0, NULL, "Without the snapshots", NULL },
        { "destination-target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { "mode", 0, "MODE", NULL, LOCAL_ONLY },
        { "refresh", 0, NULL, "Bring a copy that is there up to date", NULL },
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { "target-project", 0, "NAME", NULL, "berth has no projects" },
        { NULL },
};

const Option volume_move_options[] = {
        { "destination-target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { "mode", 0, "MODE", NULL, LOCAL_ONLY },
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { "target-project", 0, "NAME", NULL, "berth has no projects" },
        { NULL },
};

/* Where it comes from and where it goes, as the two arguments say it. */
typedef struct Way {
        char *path, *snapshot, *from_pool;
        char *pool, *name;
} Way;

static void way_done(Way *way) {
        g_clear_pointer(&way->path, g_free);
        g_clear_pointer(&way->snapshot, g_free);
        g_clear_pointer(&way->from_pool, g_free);
        g_clear_pointer(&way->pool, g_free);
        g_clear_pointer(&way->name, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Way, way_done)

static int read_one(const char *argument, char **ret_pool, char **ret_path, char **ret_snapshot,
                    Error *ret_error) {
        g_autofree char *whole = NULL;
        const char *slash;
        int r;

        r = client_object_name(argument, &whole, ret_error);
        if (r < 0)
                return r;
        slash = strchr(whole, '/');
        if (!slash)
                return client_usage_error(ret_error, "'%s' is not <pool>/<volume>", argument);
        *ret_pool = g_strndup(whole, (gsize) (slash - whole));
        return volume_path(*ret_pool, slash + 1, ret_path, ret_snapshot, ret_error);
}

static int way_read(Client *c, bool snapshots, Way *way, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = read_one(client_argument(c, 0), &way->from_pool, &way->path,
                     snapshots ? &way->snapshot : NULL, ret_error);
        if (r >= 0)
                r = read_one(client_argument(c, 1), &way->pool, &path, NULL, ret_error);
        if (r >= 0)
                (void) object_parse_path(path, NULL, &way->name);
        return r;
}

static int copy(Client *c, const Way *way, Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "pool", "s", way->pool);
        if (way->snapshot)
                g_variant_dict_insert(&options, "snapshot", "s", way->snapshot);
        if (client_flag(c, "volume-only"))
                g_variant_dict_insert(&options, "without-snapshots", "b", TRUE);
        if (client_flag(c, "refresh"))
                g_variant_dict_insert(&options, "refresh", "b", TRUE);
        return job_run(c, OBJECT_VOLUME, way->path, "Copy",
                       g_variant_new("(s@a{sv})", way->name, g_variant_dict_end(&options)),
                       ret_error);
}

int volume_run_copy(Client *c, Error *ret_error) {
        g_auto(Way) way = { 0 };
        int r = way_read(c, true, &way, ret_error);

        if (r >= 0)
                r = copy(c, &way, ret_error);
        if (r >= 0)
                client_say(c, "Storage volume copied successfully!");
        return r;
}

/* To another pool it is copied and then deleted: interrupted, it is at both places. */
static int move_to_pool(Client *c, const Way *way, Error *ret_error) {
        g_autoptr(GVariant) users = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = client_get_object(c, OBJECT_VOLUME, way->path, &o, ret_error);
        if (r < 0)
                return r;
        users = object_get_value(o, "UsedBy", "ao");
        if (users && g_variant_n_children(users) > 0)
                return error_set(ret_error, ERROR_IN_USE,
                                 "The volume '%s' is in use; detach it first", o->name);
        r = copy(c, way, ret_error);
        return r < 0 ? r : job_run(c, OBJECT_VOLUME, way->path, "Delete",
                                   g_variant_new("(a{sv})", NULL), ret_error);
}

int volume_run_move(Client *c, Error *ret_error) {
        g_auto(Way) way = { 0 };
        int r = way_read(c, false, &way, ret_error);

        if (r < 0)
                return r;
        if (g_str_equal(way.from_pool, way.pool))
                r = job_run(c, OBJECT_VOLUME, way.path, "Rename",
                            g_variant_new("(sa{sv})", way.name, NULL), ret_error);
        else
                r = move_to_pool(c, &way, ret_error);
        if (r >= 0)
                client_say(c, "Storage volume moved successfully!");
        return r;
}
