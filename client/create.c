/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/devices.h"
#include "client/editor.h"
#include "client/format.h"
#include "client/image-server.h"
#include "client/instance-type.h"
#include "client/job.h"
#include "client/variant.h"
#include "client/wait.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

#define NO_VM "berth runs containers only"

const Option create_options[] = {
        { "config", 'c', "KEY=VALUE", "Set a key (may be repeated)", NULL },
        { "description", 0, "TEXT", "Describe it", NULL },
        { "device", 'd', "DEVICE,KEY=VALUE...", "Add a device, or change one of the profiles'",
          NULL },
        { "ephemeral", 'e', NULL, "Delete it when it stops", NULL },
        { "network", 'n', "NETWORK", "Connect eth0 to this network", NULL },
        { "no-profiles", 0, NULL, "Use no profiles", NULL },
        { "profile", 'p', "PROFILE", "Use this profile (may be repeated)", NULL },
        { "storage", 's', "POOL", "Put its root disk on this storage pool", NULL },
        { "console", 0, NULL, "launch: attach to its console, from its first line on", NULL },
        { "empty", 0, NULL, NULL, "every container is made from an image" },
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { "type", 't', "cCPUS-mGIB", "Bounds for processors and memory, such as c0.5-m2", NULL },
        { "vm", 0, NULL, NULL, NO_VM },
        WAIT_OPTION("launch: "),
        { NULL },
};

/* What a container is made of, collected from standard input and then from the options, which
 * have the last word. */
typedef struct Recipe {
        GHashTable *config;
        GHashTable *devices;
        GVariant *profiles; /* as; NULL for the service's default */
        char *description;
        bool ephemeral;
} Recipe;

static void recipe_init(Recipe *recipe) {
        *recipe = (Recipe) {
                .config = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                .devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                 (GDestroyNotify) g_hash_table_unref),
        };
}

static void recipe_done(Recipe *recipe) {
        g_clear_pointer(&recipe->config, g_hash_table_unref);
        g_clear_pointer(&recipe->devices, g_hash_table_unref);
        g_clear_pointer(&recipe->profiles, g_variant_unref);
        g_clear_pointer(&recipe->description, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Recipe, recipe_done)

static int recipe_read_stdin(Recipe *recipe, Error *ret_error) {
        static const char *const keys[] = {
                "architecture", "config", "description", "devices", "ephemeral", "name",
                "profiles", "stateful", "type", NULL,
        };
        g_autoptr(GVariant) mapping = NULL, config = NULL, devices = NULL;
        g_autofree char *text = NULL;
        int r;

        r = editor_read_stdin(&text, ret_error);
        if (r < 0)
                return r;
        r = yaml_to_variant(text, &mapping, ret_error);
        if (r >= 0)
                r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "config", &config, ret_error);
        if (r >= 0)
                r = yaml_get_devices(mapping, "devices", &devices, ret_error);
        if (r >= 0)
                r = yaml_get_strings(mapping, "profiles", &recipe->profiles, ret_error);
        if (r >= 0)
                r = yaml_get_string(mapping, "description", &recipe->description, ret_error);
        if (r >= 0)
                r = yaml_get_boolean(mapping, "ephemeral", &recipe->ephemeral, ret_error);
        if (r < 0) {
                /* In a loop over lines it may be none of ours. */
                error_prefix(ret_error,
                             "Standard input, read as it is no terminal (give /dev/null for none)");
                return r;
        }
        if (config)
                device_set_options(recipe->config, config);
        if (devices) {
                g_hash_table_unref(recipe->devices);
                recipe->devices = devices_from_variant(devices);
        }
        return 0;
}

static int recipe_add_config(Recipe *recipe, Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) values = client_options(c, "config");

        for (size_t i = 0; i < values->len; i++) {
                char *key, *value;

                if (parse_assignment(g_ptr_array_index(values, i), &key, &value) < 0)
                        return client_usage_error(ret_error, "-c '%s' is not KEY=VALUE",
                                                  (char *) g_ptr_array_index(values, i));
                g_hash_table_replace(recipe->config, key, value);
        }
        return 0;
}

/* "DEVICE,KEY=VALUE[,KEY=VALUE...]", each -d adding to what earlier ones said of the device. */
static int recipe_add_devices(Recipe *recipe, Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) values = client_options(c, "device");

        for (size_t i = 0; i < values->len; i++) {
                const char *text = g_ptr_array_index(values, i);
                g_auto(GStrv) parts = g_strsplit(text, ",", -1);
                GHashTable *device;

                if (g_strv_length(parts) < 2 || !*parts[0])
                        return client_usage_error(ret_error,
                                                  "-d '%s' is not DEVICE,KEY=VALUE[,KEY=VALUE...]",
                                                  text);
                device = g_hash_table_lookup(recipe->devices, parts[0]);
                if (!device) {
                        device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
                        g_hash_table_replace(recipe->devices, g_strdup(parts[0]), device);
                }
                for (char **part = parts + 1; *part; part++) {
                        char *key, *value;

                        if (parse_assignment(*part, &key, &value) < 0)
                                return client_usage_error(ret_error,
                                                          "'%s' in -d '%s' is not KEY=VALUE",
                                                          *part, text);
                        g_hash_table_replace(device, key, value);
                }
        }
        return 0;
}

static int recipe_add_profiles(Recipe *recipe, Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) profiles = client_options(c, "profile");

        if (client_flag(c, "no-profiles") && profiles->len > 0)
                return client_usage_error(ret_error, "-p and --no-profiles exclude each other");
        if (profiles->len == 0 && !client_flag(c, "no-profiles"))
                return 0;
        g_clear_pointer(&recipe->profiles, g_variant_unref);
        recipe->profiles = variant_seal(
                g_variant_new_strv((const char *const *) profiles->pdata, profiles->len));
        return 0;
}

static void recipe_add_network(Recipe *recipe, const char *network) {
        GHashTable *device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

        g_hash_table_replace(device, g_strdup("type"), g_strdup("nic"));
        g_hash_table_replace(device, g_strdup("name"), g_strdup("eth0"));
        g_hash_table_replace(device, g_strdup("network"), g_strdup(network));
        g_hash_table_replace(recipe->devices, g_strdup("eth0"), device);
}

static gboolean device_is_incomplete(gpointer key, gpointer device, gpointer userdata) {
        return !g_hash_table_contains(device, "type");
}

/* The devices of the profiles that the container will have, the last profile winning. */
static int profiles_get_devices(Client *c, GVariant *profiles, GHashTable *ret, Error *ret_error) {
        g_autoptr(GVariant) standard = NULL;
        const char *name;
        GVariantIter iter;

        if (!profiles) {
                name = "default";
                profiles = standard = variant_seal(g_variant_new_strv(&name, 1));
        }
        g_variant_iter_init(&iter, profiles);
        while (g_variant_iter_next(&iter, "&s", &name)) {
                g_autofree char *path = object_make_path(OBJECT_PROFILE, name);
                g_autoptr(GVariant) reply = NULL, variant = NULL;
                g_autoptr(GHashTable) devices = NULL;
                GHashTableIter i;
                gpointer key, device;
                int r;

                r = client_call(c, OBJECT_PROFILE, path, "GetDevices",
                                g_variant_new("(a{sv})", NULL), "(a{sa{ss}})", &reply, ret_error);
                if (r < 0)
                        return r;
                variant = g_variant_get_child_value(reply, 0);
                devices = devices_from_variant(variant);
                g_hash_table_iter_init(&i, devices);
                while (g_hash_table_iter_next(&i, &key, &device))
                        g_hash_table_replace(ret, g_strdup(key), g_hash_table_ref(device));
        }
        return 0;
}

/* A device that is given without its type changes the profiles' device of that name. */
static int recipe_complete_devices(Recipe *recipe, Client *c, Error *ret_error) {
        g_autoptr(GHashTable) inherited = NULL;
        GHashTableIter iter;
        gpointer name, device;
        int r;

        if (!g_hash_table_find(recipe->devices, device_is_incomplete, NULL))
                return 0;
        inherited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) g_hash_table_unref);
        r = profiles_get_devices(c, recipe->profiles, inherited, ret_error);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, recipe->devices);
        while (g_hash_table_iter_next(&iter, &name, &device)) {
                GHashTable *base = g_hash_table_lookup(inherited, name);
                GHashTableIter options;
                gpointer key, value;

                if (!device_is_incomplete(name, device, NULL))
                        continue;
                if (!base)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "No profile has a device '%s'; say what it is with "
                                         "type=...",
                                         (char *) name);
                g_hash_table_iter_init(&options, base);
                while (g_hash_table_iter_next(&options, &key, &value))
                        if (!g_hash_table_contains(device, key))
                                g_hash_table_replace(device, g_strdup(key), g_strdup(value));
        }
        return 0;
}

static int recipe_read(Recipe *recipe, Client *c, Error *ret_error) {
        int r = 0;

        if (!isatty(STDIN_FILENO))
                r = recipe_read_stdin(recipe, ret_error);
        if (r >= 0)
                r = recipe_add_config(recipe, c, ret_error);
        if (r >= 0 && client_option(c, "type"))
                r = instance_type_add(client_option(c, "type"), recipe->config, ret_error);
        if (r >= 0)
                r = recipe_add_profiles(recipe, c, ret_error);
        if (r >= 0 && client_option(c, "network"))
                recipe_add_network(recipe, client_option(c, "network"));
        if (r >= 0)
                r = recipe_add_devices(recipe, c, ret_error);
        if (r >= 0)
                r = recipe_complete_devices(recipe, c, ret_error);
        return r;
}

static GVariant *config_to_variant(GHashTable *config) {
        GHashTableIter iter;
        GVariantBuilder b;
        gpointer key, value;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        g_hash_table_iter_init(&iter, config);
        while (g_hash_table_iter_next(&iter, &key, &value))
                g_variant_builder_add(&b, "{ss}", key, value);
        return g_variant_builder_end(&b);
}

static GVariant *recipe_to_options(const Recipe *recipe, Client *c, bool start) {
        const char *description = client_option(c, "description") ?: recipe->description;
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (g_hash_table_size(recipe->config) > 0)
                g_variant_dict_insert_value(&options, "config", config_to_variant(recipe->config));
        if (g_hash_table_size(recipe->devices) > 0)
                g_variant_dict_insert_value(&options, "devices",
                                            devices_to_variant(recipe->devices));
        if (recipe->profiles)
                g_variant_dict_insert_value(&options, "profiles", recipe->profiles);
        if (description && *description)
                g_variant_dict_insert(&options, "description", "s", description);
        if (recipe->ephemeral || client_flag(c, "ephemeral"))
                g_variant_dict_insert(&options, "ephemeral", "b", TRUE);
        if (client_option(c, "storage"))
                g_variant_dict_insert(&options, "pool", "s", client_option(c, "storage"));
        if (start)
                g_variant_dict_insert(&options, "start", "b", TRUE);
        return g_variant_dict_end(&options);
}

/* What the service is to make it of; an image of a server is downloaded first. */
static int get_image(Client *c, const char *server, char **image, Error *ret_error) {
        g_autofree char *fingerprint = NULL;
        GVariantDict options;
        int r;

        if (!server)
                return 0;
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "cached", "b", TRUE);
        r = image_server_download(c, server, *image, g_variant_dict_end(&options), &fingerprint,
                                  ret_error);
        if (r < 0)
                return r;
        g_free(*image);
        *image = TAKE_PTR(fingerprint);
        return 0;
}

static int create(Client *c, bool start, Error *ret_error) {
        g_autofree char *server = NULL, *image = NULL, *name = NULL, *made = NULL;
        g_auto(Recipe) recipe = { 0 };
        g_autoptr(Job) job = NULL;
        const char *container;
        int r;

        recipe_init(&recipe);
        image_source_parse(client_argument(c, 0), &server, &image);
        if (!*image)
                return client_usage_error(ret_error, "'%s' names no image", client_argument(c, 0));
        r = wait_check_option(c, ret_error);
        if (r >= 0 && client_argument(c, 1))
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r >= 0)
                r = recipe_read(&recipe, c, ret_error);
        if (r >= 0)
                r = get_image(c, server, &image, ret_error);
        if (r < 0)
                return r;

        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CreateContainer",
                      g_variant_new("(ss@a{sv})", name ?: "", image,
                                    recipe_to_options(&recipe, c, start)),
                      &job, ret_error);
        if (r < 0)
                return r;
        r = job_get_container(job, &container, &made, ret_error);
        if (r < 0)
                return r;
        client_say(c, "Creating %s", name ?: "the container");
        r = job_wait(job, ret_error);
        if (r < 0)
                return r;
        if (!name)
                client_say(c, "Instance name is: %s", made);
        if (start)
                client_say(c, "Starting %s", made);
        if (start && client_flag(c, "console"))
                return console_attach(c, container, true, ret_error);
        if (start)
                return wait_as_asked(c, container, ret_error);
        return 0;
}

int run_init(Client *c, Error *ret_error) {
        return create(c, false, ret_error);
}

int run_launch(Client *c, Error *ret_error) {
        return create(c, true, ret_error);
}
