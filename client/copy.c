/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/devices.h"
#include "client/format.h"
#include "client/job.h"
#include "client/snapshot.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

#define LOCAL_ONLY "berth works on this machine only"

const Option copy_options[] = {
        { "config", 'c', "KEY=VALUE", "Set a key (may be repeated)", NULL },
        { "device", 'd', "DEVICE,KEY=VALUE...", "Add a device, or change one of the source's",
          NULL },
        { "ephemeral", 'e', NULL, "Delete the copy when it stops", NULL },
        { "instance-only", 0, NULL, "Without the snapshots", NULL },
        { "no-profiles", 0, NULL, "Use no profiles", NULL },
        { "profile", 'p', "PROFILE", "Use this profile instead of the source's (may be repeated)",
          NULL },
        { "refresh", 0, NULL, "Bring a copy that is there up to date", NULL },
        { "storage", 's', "POOL", "Put its root disk on this storage pool", NULL },
        { "allow-inconsistent", 0, NULL, NULL, "" },
        { "mode", 0, "MODE", NULL, LOCAL_ONLY },
        { "stateless", 0, NULL, NULL, "" },
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { NULL },
};

const Option move_options[] = {
        { "storage", 's', "POOL", "Put it on this storage pool", NULL },
        { "allow-inconsistent", 0, NULL, NULL, "" },
        { "instance-only", 0, NULL, NULL, "its snapshots go where it goes" },
        { "mode", 0, "MODE", NULL, LOCAL_ONLY },
        { "stateless", 0, NULL, NULL, "" },
        { "target", 0, "MEMBER", NULL, LOCAL_ONLY },
        { "config", 'c', "KEY=VALUE", NULL, "'berth config set' changes it" },
        { "device", 'd', "DEVICE,KEY=VALUE...", NULL, "'berth config device set' changes it" },
        { "no-profiles", 0, NULL, NULL, "'berth profile assign' changes them" },
        { "profile", 'p', "PROFILE", NULL, "'berth profile assign' changes them" },
        { NULL },
};

static int add_config(Client *c, GVariantDict *options, Error *ret_error) {
        g_autoptr(GPtrArray) values = client_options(c, "config");
        GVariantBuilder b;

        if (values->len == 0)
                return 0;
        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        for (size_t i = 0; i < values->len; i++) {
                g_autofree char *key = NULL, *value = NULL;

                if (parse_assignment(g_ptr_array_index(values, i), &key, &value) < 0) {
                        g_variant_builder_clear(&b);
                        return client_usage_error(ret_error, "-c '%s' is not KEY=VALUE",
                                                  (char *) g_ptr_array_index(values, i));
                }
                g_variant_builder_add(&b, "{ss}", key, value);
        }
        g_variant_dict_insert_value(options, "config", g_variant_builder_end(&b));
        return 0;
}

/* The source's devices with those of its profiles, which -d changes. */
static int read_devices(Client *c, ObjectKind kind, const char *path, GHashTable **ret,
                        Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, devices = NULL;
        GVariantDict options;
        int r;

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "expanded", "b", TRUE);
        r = client_call(c, kind, path, "GetDevices",
                        g_variant_new("(@a{sv})", g_variant_dict_end(&options)),
                        "(a{sa{ss}})", &reply, ret_error);
        if (r < 0)
                return r;
        devices = g_variant_get_child_value(reply, 0);
        *ret = devices_from_variant(devices);
        return 0;
}

static int set_device(GHashTable *devices, GHashTable *changed, const char *text,
                      Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        GHashTable *device;

        if (g_strv_length(parts) < 2 || !*parts[0])
                return client_usage_error(ret_error,
                                          "-d '%s' is not DEVICE,KEY=VALUE[,KEY=VALUE...]", text);
        device = g_hash_table_lookup(devices, parts[0]);
        if (device)
                g_hash_table_ref(device);
        else {
                device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
                g_hash_table_replace(devices, g_strdup(parts[0]), g_hash_table_ref(device));
        }
        g_hash_table_replace(changed, g_strdup(parts[0]), device);
        for (char **part = parts + 1; *part; part++) {
                char *key, *value;

                if (parse_assignment(*part, &key, &value) < 0)
                        return client_usage_error(ret_error, "'%s' in -d '%s' is not KEY=VALUE",
                                                  *part, text);
                g_hash_table_replace(device, key, value);
        }
        return 0;
}

static int add_devices(Client *c, ObjectKind kind, const char *path, GVariantDict *options,
                       Error *ret_error) {
        g_autoptr(GPtrArray) values = client_options(c, "device");
        g_autoptr(GHashTable) devices = NULL, changed = NULL;
        int r;

        if (values->len == 0)
                return 0;
        r = read_devices(c, kind, path, &devices, ret_error);
        if (r < 0)
                return r;
        changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                        (GDestroyNotify) g_hash_table_unref);
        for (size_t i = 0; i < values->len; i++) {
                r = set_device(devices, changed, g_ptr_array_index(values, i), ret_error);
                if (r < 0)
                        return r;
        }
        g_variant_dict_insert_value(options, "devices", devices_to_variant(changed));
        return 0;
}

static int add_profiles(Client *c, GVariantDict *options, Error *ret_error) {
        g_autoptr(GPtrArray) profiles = client_options(c, "profile");

        if (client_flag(c, "no-profiles") && profiles->len > 0)
                return client_usage_error(ret_error, "-p and --no-profiles exclude each other");
        if (profiles->len > 0 || client_flag(c, "no-profiles"))
                g_variant_dict_insert_value(
                        options, "profiles",
                        g_variant_new_strv((const char *const *) profiles->pdata, profiles->len));
        return 0;
}

static int copy_options_to_variant(Client *c, ObjectKind kind, const char *path, GVariant **ret,
                                   Error *ret_error) {
        GVariantDict options;
        int r;

        g_variant_dict_init(&options, NULL);
        r = add_config(c, &options, ret_error);
        if (r >= 0)
                r = add_profiles(c, &options, ret_error);
        if (r >= 0)
                r = add_devices(c, kind, path, &options, ret_error);
        if (r < 0) {
                g_variant_dict_clear(&options);
                return r;
        }
        if (client_flag(c, "ephemeral"))
                g_variant_dict_insert(&options, "ephemeral", "b", TRUE);
        if (client_flag(c, "instance-only"))
                g_variant_dict_insert(&options, "without-snapshots", "b", TRUE);
        if (client_flag(c, "refresh"))
                g_variant_dict_insert(&options, "refresh", "b", TRUE);
        if (client_option(c, "storage"))
                g_variant_dict_insert(&options, "pool", "s", client_option(c, "storage"));
        *ret = g_variant_dict_end(&options);
        return 0;
}

/* LXD makes the copy where there is none to refresh. */
static bool target_exists(Client *c, const char *name) {
        return client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetContainer",
                           g_variant_new("(s)", name), "(o)", NULL, NULL) >= 0;
}

int run_copy(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *name = NULL, *made = NULL;
        g_autoptr(GVariant) options = NULL;
        g_autoptr(Job) job = NULL;
        const char *container;
        ObjectKind kind;
        int r;

        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r >= 0 && client_argument(c, 1))
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        else if (r >= 0 && client_flag(c, "refresh"))
                r = client_usage_error(ret_error, "Which copy is to be brought up to date?");
        if (r >= 0)
                r = copy_options_to_variant(c, kind, path, &options, ret_error);
        if (r < 0)
                return r;
        options = g_variant_ref_sink(options);
        if (client_flag(c, "refresh") && !target_exists(c, name)) {
                GVariantDict dict;

                g_variant_dict_init(&dict, options);
                g_variant_dict_remove(&dict, "refresh");
                g_variant_unref(options);
                options = g_variant_ref_sink(g_variant_dict_end(&dict));
        }
        r = job_start(c, kind, path, "Copy", g_variant_new("(s@a{sv})", name ?: "", options), &job,
                      ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r < 0 || name)
                return r;
        r = job_get_container(job, &container, &made, ret_error);
        if (r >= 0)
                client_say(c, "Instance name is: %s", made);
        return r;
}

int run_move(Client *c, Error *ret_error) {
        const char *pool = client_option(c, "storage"), *to = client_argument(c, 1);
        g_autofree char *path = NULL, *name = NULL;
        ObjectKind kind;
        int r;

        if (!pool && !to)
                return client_usage_error(ret_error, "Where to? Give a new name, or a pool with "
                                                     "-s");
        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r < 0)
                return r;
        if (kind == OBJECT_SNAPSHOT && pool)
                return client_usage_error(ret_error, "A snapshot stays in its container's pool");
        if (pool) {
                r = job_run(c, kind, path, "Move", g_variant_new("(sa{sv})", pool, NULL),
                            ret_error);
                if (r < 0)
                        return r;
        }
        if (to)
                r = client_object_name(to, &name, ret_error);
        if (r < 0 || !to || g_strcmp0(strrchr(path, '/') + 1, name) == 0)
                return r;
        return run_rename(c, ret_error);
}
