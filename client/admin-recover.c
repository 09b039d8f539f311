/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `berth admin recover`: the dialogue of `lxd recover`. The service looks first, and does it when
 * what was found has been shown.
 */

#include <stdio.h>

#include "client/admin.h"
#include "client/ask.h"
#include "client/format.h"
#include "client/job.h"
#include "client/object.h"
#include "service/util/cleanup.h"

static void print_pool(const char *name, const char *driver, const char *source,
                       const char *state) {
        g_autofree char *shown = format_printable(source);

        printf(" - %s (%sbackend=\"%s\", source=\"%s\")\n", name, state, driver, shown);
}

static int print_known(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) pools = NULL;
        int r = client_get_objects(c, OBJECT_POOL, NULL, &pools, ret_error);

        if (r < 0)
                return r;
        if (pools->len == 0)
                return 0;
        printf("These storage pools are known:\n");
        for (guint i = 0; i < pools->len; i++) {
                const Object *o = pools->pdata[i];

                print_pool(o->name, object_get_string(o, "Driver"),
                           object_get_string(o, "Source"), "");
        }
        return 0;
}

static const char *check_driver(const char *answer, const void *data) {
        static const char *const drivers[] = { "dir", "btrfs", "lvm", NULL };

        return g_strv_contains(drivers, answer) ? NULL : "Use dir, btrfs or lvm.";
}

static const char *check_name(const char *answer, const void *data) {
        return *answer ? NULL : "It has a name.";
}

/* "" for the file of a pool that is where the service keeps those. */
static const char *check_source(const char *answer, const void *driver) {
        const char *const *chosen = driver;

        return !*answer || *answer == '/' || g_str_equal(*chosen, "lvm")
                       ? NULL : "Give an absolute path.";
}

static int ask_pool(GVariantBuilder *pools, Error *ret_error) {
        g_autofree char *name = NULL, *driver = NULL, *source = NULL;
        int r;

        r = ask_checked("Name of the storage pool", NULL, check_name, NULL, &name, ret_error);
        if (r >= 0)
                r = ask_checked("Name of the storage backend (dir, btrfs, lvm)", "btrfs",
                                check_driver, NULL, &driver, ret_error);
        if (r >= 0)
                r = ask_checked("Source of the storage pool (block device, directory or volume "
                                "group; empty for the service's own file)", NULL, check_source,
                                &driver, &source, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_open(pools, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(pools, "{sv}", "name", g_variant_new_string(name));
        g_variant_builder_add(pools, "{sv}", "driver", g_variant_new_string(driver));
        g_variant_builder_add(pools, "{sv}", "source", g_variant_new_string(source));
        g_variant_builder_close(pools);
        return 0;
}

static int ask_pools(GVariant **ret, Error *ret_error) {
        g_auto(GVariantBuilder) pools;
        bool more = false;
        int r;

        g_variant_builder_init(&pools, G_VARIANT_TYPE("aa{sv}"));
        for (;;) {
                r = ask_boolean("Would you like to recover another storage pool?", false, &more,
                                ret_error);
                if (r < 0 || !more)
                        break;
                r = ask_pool(&pools, ret_error);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                *ret = g_variant_ref_sink(g_variant_builder_end(&pools));
        return r;
}

static int run(Client *c, GVariant *pools, bool dry_run, Job **ret, Error *ret_error) {
        GVariantDict options;
        int r;

        g_variant_dict_init(&options, NULL);
        if (dry_run)
                g_variant_dict_insert(&options, "dry-run", "b", TRUE);
        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "Recover",
                      g_variant_new("(@aa{sv}@a{sv})", pools, g_variant_dict_end(&options)), ret,
                      ret_error);
        return r < 0 ? r : job_wait(*ret, ret_error);
}

static size_t print_found(GVariant *objects) {
        size_t n = g_variant_n_children(objects);

        if (n > 0)
                printf("This was found:\n");
        for (size_t i = 0; i < n; i++) {
                g_autofree char *name = NULL;
                const char *path;
                ObjectKind kind;

                g_variant_get_child(objects, i, "&o", &path);
                if (object_parse_path(path, &kind, &name))
                        printf(" - %s \"%s\"\n", object_kind_to_noun(kind), name);
        }
        return n;
}

int admin_recover(Client *c, Error *ret_error) {
        g_autoptr(GVariant) pools = NULL, objects = NULL;
        g_autoptr(Job) look = NULL, job = NULL;
        bool go_on = false;
        int r;

        r = print_known(c, ret_error);
        if (r >= 0)
                r = ask_pools(&pools, ret_error);
        if (r >= 0)
                r = ask_boolean("Would you like to continue with scanning for lost volumes?", true,
                                &go_on, ret_error);
        if (r < 0 || !go_on)
                return r;
        printf("Scanning for unknown volumes...\n");
        r = run(c, pools, true, &look, ret_error);
        if (r >= 0)
                r = job_get_objects(look, &objects, ret_error);
        if (r < 0)
                return r;
        job_print_warnings(look);
        if (print_found(objects) == 0 && g_variant_n_children(pools) == 0) {
                printf("No unknown storage volumes found. Nothing to do.\n");
                return 0;
        }
        r = ask_boolean("Would you like those to be recovered?", false, &go_on, ret_error);
        if (r < 0 || !go_on)
                return r;
        printf("Starting recovery...\n");
        return run(c, pools, false, &job, ret_error);
}
