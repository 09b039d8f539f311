/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `berth admin init`: the dialogue that LXD's users know. All questions are asked first, then the
 * service does the whole of it in one call; an end of the input in between changes nothing.
 */

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/admin-plan.h"
#include "client/admin.h"
#include "client/ask.h"
#include "client/editor.h"
#include "client/format.h"
#include "client/service-settings.h"
#include "client/settings.h"
#include "service/util/cleanup.h"

/* What a loop file is given unless told otherwise: a fifth of what is free, within bounds. */
#define LOOP_SIZE_MIN_GIB 5U
#define LOOP_SIZE_MAX_GIB 30U
#define LOOP_SIZE_LEAST_GIB 1U
#define GIB (1ULL << 30)

#define NETWORK_DEFAULT "berthbr0"
#define POOL_DEFAULT "default"
#define PROFILE_DEFAULT "default"

#define IMAGES_KEY "images.auto_update_interval"
#define IMAGES_HOURS_DEFAULT "6"

/* What the host is like before. */
typedef struct Host {
        GPtrArray *pools, *networks; /* of Object */
        Settings *profile;           /* the default one */
        GVariant *config;            /* of the service, a{ss} */
        bool btrfs, lvm;
        unsigned loop_size;          /* GiB */
} Host;

static void host_clear(Host *host) {
        g_clear_pointer(&host->pools, g_ptr_array_unref);
        g_clear_pointer(&host->networks, g_ptr_array_unref);
        g_clear_pointer(&host->profile, settings_free);
        g_clear_pointer(&host->config, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Host, host_clear)

/* Also where users have no sbin in their PATH. */
static bool host_has_program(const char *name) {
        g_autofree char *found = g_find_program_in_path(name);
        g_autofree char *path = g_build_filename("/usr/sbin", name, NULL);

        return found || access(path, X_OK) >= 0;
}

/* The kernel knows it, or can load it, and there is something to make one with. */
static bool host_has_btrfs(void) {
        g_autofree char *filesystems = NULL;

        if (!host_has_program("mkfs.btrfs"))
                return false;
        if (!g_file_get_contents("/proc/filesystems", &filesystems, NULL, NULL))
                return false;
        return strstr(filesystems, "\tbtrfs\n") || access("/sys/module/btrfs", F_OK) >= 0;
}

static unsigned default_loop_size(void) {
        struct statvfs st;
        uint64_t gib;

        if (statvfs("/var/lib", &st) < 0)
                return LOOP_SIZE_MIN_GIB;
        gib = (uint64_t) st.f_bavail * st.f_frsize / 5 / GIB;
        return (unsigned) CLAMP(gib, LOOP_SIZE_MIN_GIB, LOOP_SIZE_MAX_GIB);
}

static int host_read(Client *c, Host *ret, Error *ret_error) {
        g_autofree char *path = object_make_path(OBJECT_PROFILE, PROFILE_DEFAULT);
        int r;

        r = client_get_objects(c, OBJECT_POOL, NULL, &ret->pools, ret_error);
        if (r >= 0)
                r = client_get_objects(c, OBJECT_NETWORK, NULL, &ret->networks, ret_error);
        if (r < 0)
                return r;
        ret->btrfs = host_has_btrfs();
        ret->lvm = host_has_program("lvcreate");
        ret->loop_size = default_loop_size();
        r = service_settings_read(c, &ret->config, ret_error);
        return r < 0 ? r : settings_read(c, OBJECT_PROFILE, path, 0, &ret->profile, ret_error);
}

static bool has_object(const GPtrArray *objects, const char *name) {
        for (guint i = 0; i < objects->len; i++)
                if (g_str_equal(((const Object *) objects->pdata[i])->name, name))
                        return true;
        return false;
}

/* --- answers --- */

static const char *check_new_name(const char *answer, const void *objects) {
        if (has_object(objects, answer))
                return "There is one of that name already; choose another name.";
        for (const char *p = answer; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr("-_.", *p))
                        return "A name has only letters, digits, dashes, dots and underscores.";
        return NULL;
}

static const char *check_new_bridge(const char *answer, const void *objects) {
        size_t length = strlen(answer);

        if (length < 2 || length >= IFNAMSIZ)
                return "An interface of that name cannot be: it has 2 to 15 letters.";
        return check_new_name(answer, objects);
}

static const char *check_driver(const char *answer, const void *data) {
        const Host *host = data;

        if (g_str_equal(answer, "lvm") && host && !host->lvm)
                return "For lvm the packages lvm2 and thin-provisioning-tools must be installed.";
        if (g_str_equal(answer, "dir") || g_str_equal(answer, "btrfs") ||
            g_str_equal(answer, "lvm"))
                return NULL;
        return "The backends are dir, btrfs and lvm.";
}

static const char *check_size(const char *answer, const void *data) {
        uint64_t n;

        if (parse_number(answer, &n) >= 0 && n >= LOOP_SIZE_LEAST_GIB && n < 1U << 20)
                return NULL;
        return "That is no number of GiB.";
}

static const char *check_path(const char *answer, const void *data) {
        return *answer == '/' ? NULL : "An absolute path is needed, such as /dev/sdb1.";
}

static bool is_cidr(const char *answer, int family) {
        g_auto(GStrv) parts = g_strsplit(answer, "/", 2);
        unsigned char address[sizeof(struct in6_addr)];
        uint64_t prefix;

        return parts[0] && parts[1] && inet_pton(family, parts[0], address) == 1 &&
               parse_number(parts[1], &prefix) >= 0 && prefix <= (family == AF_INET ? 32 : 128);
}

static const char *check_address(const char *answer, const void *family) {
        if (g_str_equal(answer, "auto") || g_str_equal(answer, "none") ||
            is_cidr(answer, *(const int *) family))
                return NULL;
        return *(const int *) family == AF_INET
                       ? "\"auto\", \"none\" or an address such as 10.61.3.1/24 is needed."
                       : "\"auto\", \"none\" or an address such as fd42:61:3::1/64 is needed.";
}

/* --- the questions about storage --- */

static const char *check_group(const char *answer, const void *data) {
        return *answer != '/' && *answer != '-' && !strchr(answer, ' ')
                       ? NULL : "That is no name of a volume group.";
}

/* Pools of either that are there already: a directory on a btrfs, an empty volume group. */
static int ask_existing(bool lvm, char **ret, Error *ret_error) {
        return lvm ? ask_checked("Name of the existing empty volume group", "vg0", check_group,
                                 NULL, ret, ret_error)
                   : ask_checked("Path of the existing directory on a btrfs",
                                 "/var/lib/berth/storage", check_path, NULL, ret, ret_error);
}

static int ask_disk(const Host *host, bool lvm, GVariantBuilder *config, Error *ret_error) {
        g_autofree char *size = NULL, *path = NULL, *preset = NULL, *value = NULL;
        bool new, device = false;
        int r;

        r = ask_boolean(lvm ? "Create a new LVM pool?" : "Create a new BTRFS pool?", true, &new,
                        ret_error);
        if (r >= 0 && new)
                r = ask_boolean("Would you like to use an existing empty block device (e.g. a disk "
                                "or partition)?",
                                false, &device, ret_error);
        if (r < 0)
                return r;
        if (!new || device) {
                r = new ? ask_checked("Path to the existing block device", "/dev/sdb", check_path,
                                      NULL, &path, ret_error)
                        : ask_existing(lvm, &path, ret_error);
                if (r >= 0)
                        g_variant_builder_add(config, "{ss}", "source", path);
                return r;
        }
        preset = g_strdup_printf("%u", host->loop_size);
        r = ask_checked("Size in GiB of the new loop device (1GiB minimum)", preset, check_size,
                        NULL, &size, ret_error);
        if (r < 0)
                return r;
        value = g_strconcat(size, "GiB", NULL);
        g_variant_builder_add(config, "{ss}", "size", value);
        return 0;
}

static int ask_pool(const Host *host, AdminPlan *plan, char **ret_pool, Error *ret_error) {
        g_autofree char *name = NULL, *driver = NULL;
        GVariantBuilder config;
        bool wanted;
        int r;

        r = ask_boolean("Do you want to configure a new storage pool?", host->pools->len == 0,
                        &wanted, ret_error);
        if (r < 0 || !wanted)
                return r;
        r = ask_checked("Name of the new storage pool", POOL_DEFAULT, check_new_name, host->pools,
                        &name, ret_error);
        if (r >= 0)
                r = ask_checked("Name of the storage backend to use (dir, btrfs, lvm)",
                                host->btrfs ? "btrfs" : "dir", check_driver, host, &driver,
                                ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&config, G_VARIANT_TYPE("a{ss}"));
        if (!g_str_equal(driver, "dir"))
                r = ask_disk(host, g_str_equal(driver, "lvm"), &config, ret_error);
        if (r < 0) {
                g_variant_builder_clear(&config);
                return r;
        }
        admin_plan_add_pool(plan, name, driver, g_variant_builder_end(&config));
        *ret_pool = TAKE_PTR(name);
        return 0;
}

/* --- the questions about the network --- */

static int ask_family(int family, GVariantBuilder *config, Error *ret_error) {
        const char *version = family == AF_INET ? "ipv4" : "ipv6";
        g_autofree char *address = NULL, *key = g_strconcat(version, ".address", NULL);
        g_autofree char *nat_key = g_strconcat(version, ".nat", NULL), *question = NULL;
        bool nat;
        int r;

        question = g_strdup_printf("What %s address should be used (CIDR subnet notation, \"auto\" "
                                   "or \"none\")", family == AF_INET ? "IPv4" : "IPv6");
        r = ask_checked(question, "auto", check_address, &family, &address, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_add(config, "{ss}", key, address);
        if (!is_cidr(address, family))
                return 0;
        r = ask_boolean(family == AF_INET ? "Should IPv4 traffic going out be translated (NAT)?"
                                          : "Should IPv6 traffic going out be translated (NAT)?",
                        true, &nat, ret_error);
        if (r >= 0)
                g_variant_builder_add(config, "{ss}", nat_key, nat ? "true" : "false");
        return r;
}

static int ask_network(const Host *host, AdminPlan *plan, char **ret_network, Error *ret_error) {
        g_autofree char *name = NULL;
        GVariantBuilder config;
        bool wanted;
        int r;

        r = ask_boolean("Would you like to create a new network bridge?",
                        host->networks->len == 0, &wanted, ret_error);
        if (r < 0 || !wanted)
                return r;
        r = ask_checked("What should the new bridge be called", NETWORK_DEFAULT, check_new_bridge,
                        host->networks, &name, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&config, G_VARIANT_TYPE("a{ss}"));
        r = ask_family(AF_INET, &config, ret_error);
        if (r >= 0)
                r = ask_family(AF_INET6, &config, ret_error);
        if (r < 0) {
                g_variant_builder_clear(&config);
                return r;
        }
        admin_plan_add_network(plan, name, g_variant_builder_end(&config));
        *ret_network = TAKE_PTR(name);
        return 0;
}

/* --- the question about images --- */

/* Says nothing of what is as it is wanted already. */
static int ask_images(const Host *host, AdminPlan *plan, Error *ret_error) {
        const char *interval = IMAGES_HOURS_DEFAULT;
        bool was, wanted;
        int r;

        (void) g_variant_lookup(host->config, IMAGES_KEY, "&s", &interval);
        was = !g_str_equal(interval, "0");
        r = ask_boolean("Would you like stale cached images to be updated automatically?", was,
                        &wanted, ret_error);
        if (r >= 0 && wanted != was)
                admin_plan_set_config(plan, IMAGES_KEY, wanted ? IMAGES_HOURS_DEFAULT : "0");
        return r;
}

/* --- the profile --- */

static void add_device(GVariantBuilder *devices, const char *name, const char *const *options) {
        g_variant_builder_open(devices, G_VARIANT_TYPE("{sa{ss}}"));
        g_variant_builder_add(devices, "s", name);
        g_variant_builder_open(devices, G_VARIANT_TYPE("a{ss}"));
        for (; *options; options += 2)
                g_variant_builder_add(devices, "{ss}", options[0], options[1]);
        g_variant_builder_close(devices);
        g_variant_builder_close(devices);
}

/* The default profile keeps what it has, but for the root disk and eth0 where these are new. */
static void plan_profile(const Host *host, AdminPlan *plan, const char *pool,
                         const char *network) {
        GVariantBuilder devices;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        if (!pool && !network)
                return;
        g_variant_builder_init(&devices, G_VARIANT_TYPE("a{sa{ss}}"));
        g_variant_iter_init(&iter, host->profile->devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                if (!(pool && g_str_equal(name, "root")) && !(network && g_str_equal(name, "eth0")))
                        g_variant_builder_add(&devices, "{s@a{ss}}", name, options);
                g_variant_unref(options);
        }
        if (pool) {
                const char *const root[] = { "type", "disk", "path", "/", "pool", pool, NULL };

                add_device(&devices, "root", root);
        }
        if (network) {
                const char *const eth0[] = { "type", "nic", "network", network, NULL };

                add_device(&devices, "eth0", eth0);
        }
        admin_plan_add_profile(plan, PROFILE_DEFAULT, g_variant_builder_end(&devices));
}

/* --- the ways to a plan --- */

static int plan_by_dialogue(Client *c, AdminPlan **ret, Error *ret_error) {
        g_autoptr(AdminPlan) plan = admin_plan_new();
        g_autofree char *pool = NULL, *network = NULL, *yaml = NULL;
        g_auto(Host) host = { 0 };
        bool print = false;
        int r;

        r = host_read(c, &host, ret_error);
        if (r >= 0)
                r = ask_pool(&host, plan, &pool, ret_error);
        if (r >= 0)
                r = ask_network(&host, plan, &network, ret_error);
        if (r >= 0)
                r = ask_images(&host, plan, ret_error);
        if (r < 0)
                return r;
        plan_profile(&host, plan, pool, network);
        r = ask_boolean("Would you like the answers to be printed as YAML for --preseed?", false,
                        &print, ret_error);
        if (r < 0)
                return r;
        if (print) {
                yaml = admin_plan_to_yaml(plan);
                fputs(yaml, stdout);
        }
        *ret = TAKE_PTR(plan);
        return 0;
}

static void plan_auto_pool(Client *c, const Host *host, AdminPlan *plan, const char *name,
                           const char *driver) {
        const char *size = client_option(c, "storage-create-loop");
        const char *device = client_option(c, "storage-create-device");
        g_autofree char *value = NULL;
        GVariantBuilder config;

        g_variant_builder_init(&config, G_VARIANT_TYPE("a{ss}"));
        if (device)
                g_variant_builder_add(&config, "{ss}", "source", device);
        else if (!g_str_equal(driver, "dir")) {
                value = size ? g_strconcat(size, "GiB", NULL)
                             : g_strdup_printf("%uGiB", host->loop_size);
                g_variant_builder_add(&config, "{ss}", "size", value);
        }
        admin_plan_add_pool(plan, name, driver, g_variant_builder_end(&config));
}

/* What is there already is taken as it is, so it can be run again. */
static int plan_by_itself(Client *c, bool minimal, AdminPlan **ret, Error *ret_error) {
        const char *name = client_option(c, "storage-pool") ?: POOL_DEFAULT;
        const char *driver = client_option(c, "storage-backend");
        g_autoptr(AdminPlan) plan = admin_plan_new();
        g_auto(Host) host = { 0 };
        bool pool, network;
        int r;

        if (client_option(c, "storage-create-loop") &&
            check_size(client_option(c, "storage-create-loop"), NULL))
                return client_usage_error(ret_error, "'%s' is no number of GiB",
                                          client_option(c, "storage-create-loop"));
        if (driver && check_driver(driver, NULL))
                return client_usage_error(ret_error, "There is no storage backend '%s'; use dir, "
                                          "btrfs or lvm", driver);
        r = host_read(c, &host, ret_error);
        if (r < 0)
                return r;
        driver = driver ?: host.btrfs && !minimal ? "btrfs" : "dir";
        pool = !has_object(host.pools, name);
        network = !has_object(host.networks, NETWORK_DEFAULT);
        if (pool)
                plan_auto_pool(c, &host, plan, name, driver);
        if (network)
                admin_plan_add_network(plan, NETWORK_DEFAULT, NULL);
        plan_profile(&host, plan, name, NETWORK_DEFAULT);
        *ret = TAKE_PTR(plan);
        return 0;
}

static int plan_from_input(AdminPlan **ret, Error *ret_error) {
        g_autofree char *text = NULL;
        int r = editor_read_stdin(&text, ret_error);

        return r < 0 ? r : admin_plan_parse(text, ret, ret_error);
}

static int dump(Client *c, Error *ret_error) {
        g_autofree char *text = NULL;
        int r = admin_plan_dump(c, &text, ret_error);

        if (r >= 0)
                fputs(text, stdout);
        return r;
}

int admin_init(Client *c, Error *ret_error) {
        g_autoptr(AdminPlan) plan = NULL;
        int modes = client_flag(c, "auto") + client_flag(c, "minimal") +
                    client_flag(c, "preseed") + client_flag(c, "dump");
        int r;

        if (modes > 1)
                return client_usage_error(ret_error, "--auto, --minimal, --preseed and --dump "
                                          "exclude each other");
        if (client_flag(c, "dump"))
                return dump(c, ret_error);
        if (client_flag(c, "preseed"))
                r = plan_from_input(&plan, ret_error);
        else if (client_flag(c, "auto") || client_flag(c, "minimal"))
                r = plan_by_itself(c, client_flag(c, "minimal"), &plan, ret_error);
        else
                r = plan_by_dialogue(c, &plan, ret_error);
        if (r >= 0)
                r = admin_plan_run(c, plan, ret_error);
        if (r < 0)
                return r;
        client_say(c, "berth has been successfully configured.");
        return 0;
}
