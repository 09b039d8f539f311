/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every key of networks, storage pools, volumes and the service, by every verb that takes it or
 * brings it along, from the owner, another user and root: what polkit is asked for is what
 * tests/unit/classes says, and nothing changes without it. Goes through the table, as keys.c does
 * for containers.
 */

#include <errno.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"
#include "tests/unit/classes.h"
#include "tests/unit/key-samples.h"

#define PATH_NETWORK "/org/berth1/network/net0"
#define PATH_NEW_NETWORK "/org/berth1/network/new"
#define PATH_NEW_POOL "/org/berth1/pool/new"
#define PATH_VOLUME PATH_POOL "/volume/v1"
#define PATH_NEW_VOLUME PATH_POOL "/volume/new"

typedef struct Way {
        const char *name, *path, *method;
        ConfigScope scope;
        const char *owner, *others; /* what it takes where the key asks for no more */
        const char *made;           /* path of what it makes, NULL: it changes something */
        GVariant *(*args)(GVariant *config, const KeySample *sample);
        /* What the configuration is in, where it is no argument: an archive, another volume. */
        int (*open)(GVariant *config);
        bool copies;
} Way;

static GVariant *update_args(GVariant *config, const KeySample *s) {
        return g_variant_new("(@a{ss}@as@a{sv})", config, g_variant_new_strv(NULL, 0),
                             no_options());
}

/* What belongs to a link of the host. */
static bool is_of_macvlan(const char *key) {
        static const char *const keys[] = { "mtu", "parent", "vlan", NULL };

        return g_strv_contains(keys, key);
}

static GVariant *network_args(GVariant *config, const KeySample *s) {
        bool macvlan = is_of_macvlan(s->key);

        return g_variant_new("(ss@a{ss}@a{sv})", "new", macvlan ? "macvlan" : "bridge", config,
                             no_options());
}

static const char *driver_of(const KeySample *s) {
        return g_str_has_prefix(s->key, "lvm.") || g_str_has_prefix(s->key, "volume.block.")
                       ? "lvm" : "btrfs";
}

static GVariant *pool_args(GVariant *config, const KeySample *s) {
        return g_variant_new("(ss@a{ss}@a{sv})", "new", driver_of(s), config, no_options());
}

static GVariant *set_up_network(GVariant *config, const KeySample *s) {
        bool macvlan = is_of_macvlan(s->key);

        return g_variant_new_parsed("(@aa{sv} [], [{'name': <'new'>, 'type': <%s>, "
                                    "'config': <%@a{ss}>}], @aa{sv} [], @a{sv} {})",
                                    macvlan ? "macvlan" : "bridge", config);
}

static GVariant *set_up_pool(GVariant *config, const KeySample *s) {
        return g_variant_new_parsed("([{'name': <'new'>, 'driver': <%s>, 'config': <%@a{ss}>}], "
                                    "@aa{sv} [], @aa{sv} [], @a{sv} {})", driver_of(s), config);
}

static GVariant *set_up_service(GVariant *config, const KeySample *s) {
        return g_variant_new_parsed("(@aa{sv} [], @aa{sv} [], @aa{sv} [], "
                                    "{'config': <%@a{ss}>})", config);
}

static GVariant *import_args(GVariant *config, const KeySample *s) {
        g_variant_unref(g_variant_ref_sink(config));
        return g_variant_new("(hs@a{sv})", 0, "new", no_options());
}

static int open_archive(GVariant *config) {
        g_autofree char *shown = g_variant_print(config, TRUE);
        g_autofree char *index = g_strdup_printf(
                "{'container': <{'name': <'new'>, 'description': <''>, 'config': <%s>}>, "
                "'snapshots': <@aa{sv} []>}", shown);

        return world_new_archive(index);
}

static GVariant *copy_args(GVariant *config, const KeySample *s) {
        g_variant_unref(g_variant_ref_sink(config));
        return g_variant_new("(s@a{sv})", "new", no_options());
}

static GVariant *volume_args(GVariant *config, const KeySample *s) {
        return g_variant_new("(s@a{ss}@a{sv})", "new", config, no_options());
}

static const Way ways[] = {
        { "create", PATH_ROOT, "Manager.CreateNetwork", CONFIG_SCOPE_NETWORK, "manage-networks",
          "manage-networks", PATH_NEW_NETWORK, network_args },
        { "update", PATH_NETWORK, "Network.Update", CONFIG_SCOPE_NETWORK, "manage-networks",
          "manage-networks", NULL, update_args },
        { "create", PATH_ROOT, "Manager.CreateStoragePool", CONFIG_SCOPE_POOL, "manage-storage",
          "manage-storage", PATH_NEW_POOL, pool_args },
        { "update", PATH_POOL, "StoragePool.Update", CONFIG_SCOPE_POOL, "manage-storage",
          "manage-storage", NULL, update_args },
        { "create", PATH_POOL, "StoragePool.CreateVolume", CONFIG_SCOPE_VOLUME, "use", "use",
          PATH_NEW_VOLUME, volume_args },
        { "update", PATH_VOLUME, "Volume.Update", CONFIG_SCOPE_VOLUME, "use", "manage-storage",
          NULL, update_args },
        { "import", PATH_POOL, "StoragePool.ImportVolume", CONFIG_SCOPE_VOLUME, "use", "use",
          PATH_NEW_VOLUME, import_args, open_archive },
        { "copy", PATH_VOLUME, "Volume.Copy", CONFIG_SCOPE_VOLUME, "use", "enter",
          PATH_NEW_VOLUME, copy_args, .copies = true },
        { "update", PATH_ROOT, "Manager.UpdateConfig", CONFIG_SCOPE_SERVICE, "configure",
          "configure", NULL, update_args },
        { "set up", PATH_ROOT, "Manager.Initialize", CONFIG_SCOPE_NETWORK, "configure",
          "configure", PATH_NEW_NETWORK, set_up_network },
        { "set up", PATH_ROOT, "Manager.Initialize", CONFIG_SCOPE_POOL, "configure",
          "configure", PATH_NEW_POOL, set_up_pool },
        { "set up", PATH_ROOT, "Manager.Initialize", CONFIG_SCOPE_SERVICE, "configure",
          "configure", NULL, set_up_service },
};

static bool sets_up(const Way *way) {
        return g_str_equal(way->method, "Manager.Initialize");
}

/* The key, and what else it takes to make sense. */
static GVariant *config_of(const KeySample *s) {
        GVariantBuilder config;

        g_variant_builder_init(&config, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&config, "{ss}", s->key, s->good);
        if (g_str_has_prefix(s->key, "ipv4.") && !g_str_equal(s->key, "ipv4.address"))
                g_variant_builder_add(&config, "{ss}", "ipv4.address", "10.5.5.1/24");
        if (g_str_has_prefix(s->key, "ipv6.") && !g_str_equal(s->key, "ipv6.address"))
                g_variant_builder_add(&config, "{ss}", "ipv6.address", "fd42:5::1/64");
        if (g_str_equal(s->key, "ipv6.dhcp.ranges"))
                g_variant_builder_add(&config, "{ss}", "ipv6.dhcp.stateful", "true");
        if (is_of_macvlan(s->key) && !g_str_equal(s->key, "parent"))
                g_variant_builder_add(&config, "{ss}", "parent", "eth7");
        return g_variant_builder_end(&config);
}

/* More than those who have what they manage: an MTU comes with a link of the host. */
static bool is_the_hosts(const Way *way, const KeySample *s) {
        const char *const *class = classes_find("key", config_key_find(s->key)->name);

        g_assert_nonnull(class);
        return way->scope != CONFIG_SCOPE_SERVICE &&
               (g_str_equal(class[0], "host-access") || (way->made && g_str_equal(s->key, "mtu")));
}

static const char *action_of(const Way *way, const KeySample *s, bool owner) {
        if (is_the_hosts(way, s) && !sets_up(way))
                return "host-access";
        return owner ? way->owner : way->others;
}

static Call *run(Client *client, const Way *way, const KeySample *s) {
        g_autoptr(GVariant) config = g_variant_ref_sink(config_of(s));
        _cleanup_close_ int fd = way->open ? way->open(config) : -EBADF;
        g_autoptr(Call) call = call_wait(client, client_begin_fds(
                client, way->path, way->method, way->args(config, s), fd >= 0 ? &fd : NULL));

        return call->error || !(way->made || sets_up(way)) ?
                       g_steal_pointer(&call) : client_wait_job(client, call_get_path(call));
}

static void change(Client *root, const Way *way, const KeySample *s, bool set) {
        const char *method = g_str_equal(way->path, PATH_ROOT) ? "Manager.UpdateConfig"
                             : way->copies                     ? "Volume.Update"
                                                               : way->method;
        GVariant *args = set ? g_variant_new_parsed("({%s: %s}, @as [], @a{sv} {})", s->key,
                                                    s->good)
                             : g_variant_new_parsed("(@a{ss} {}, [%s], @a{sv} {})", s->key);
        g_autoptr(Call) call G_GNUC_UNUSED = client_call(root, way->path, method, args);
}

static char *config_text(Client *root, const Way *way) {
        g_autofree char *interface = g_strndup(way->method, strcspn(way->method, "."));
        g_autofree char *method = g_strconcat(interface, ".GetConfig", NULL);
        g_autoptr(Call) call = NULL;

        if (way->made)
                return g_strdup(world_has_object(root->harness, way->made) ? "there" : "not there");
        call = client_call(root, way->path, method, g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(call);
        return g_variant_print(call->body, FALSE);
}

static void delete_made(Client *root, const char *path) {
        const char *method = strstr(path, "/volume/") ? "Volume.Delete"
                             : strstr(path, "/pool/") ? "StoragePool.Delete"
                                                      : "Network.Delete";
        g_autoptr(Call) call = NULL;

        if (!world_has_object(root->harness, path))
                return;
        call = client_run_job(root, path, method, g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(call);
}

/* What is there already is no change. Some cannot be taken back, and need not. */
static void undo(Client *root, const Way *way, const KeySample *s) {
        if (way->made)
                delete_made(root, way->made);
        if (way->copies || !way->made)
                change(root, way, s, false);
}

/* What comes without being said in the call is there afterwards. */
static void check_made(Client *root, const Way *way, const KeySample *s) {
        g_autoptr(GVariant) config = NULL;
        g_autoptr(Call) call = NULL;
        const char *value;

        if (!way->copies && !way->open)
                return;
        call = client_call(root, way->made, "Volume.GetConfig",
                           g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        if (!g_variant_lookup(config, s->key, "&s", &value) || !g_str_equal(value, s->good))
                g_error("%s: %s is not there", way->method, s->key);
}

/* Whether the key can come that way at all: root may do all that can be done. */
static bool is_possible(Client *root, const Way *way, const KeySample *s) {
        g_autoptr(Call) call = NULL;

        if (way->copies)
                change(root, way, s, true);
        call = run(root, way, s);
        undo(root, way, s);
        if (call->error && g_str_has_suffix(call->error, "AccessDenied"))
                g_error("%s of %s by root: %s", way->method, s->key, call->message);
        return !call->error;
}

static void try(Harness *h, Client *client, const Way *way, const KeySample *s) {
        const char *action = action_of(way, s, client->uid == UID_ALICE);
        g_autofree char *id = g_strconcat("org.berth1.", action, NULL);
        g_autofree char *before = config_text(h->root, way), *after = NULL;
        g_autoptr(Call) refused = NULL, granted = NULL;

        if (way->copies)
                change(h->root, way, s, true);
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = g_str_equal(action, "host-access") ? "org.berth1.manage-networks"
                                                                    : NULL;
        refused = run(client, way, s);
        if (g_strcmp0(mock_polkit_last(h->polkit)->action, id) != 0)
                g_error("%s of %s by %u: asked for %s instead of %s", way->method, s->key,
                        client->uid, mock_polkit_last(h->polkit)->action, id);
        call_assert_error(refused, ERROR_ACCESS_DENIED, action);
        after = config_text(h->root, way);
        g_assert_cmpstr(before, ==, after);

        h->polkit->only_yes_to = id;
        granted = run(client, way, s);
        if (is_the_hosts(way, s) && sets_up(way)) {
                g_autofree char *denied = config_text(h->root, way);

                call_assert_error(granted, ERROR_ACCESS_DENIED, "");
                g_assert_cmpstr(before, ==, denied);
        } else if (granted->error)
                g_error("%s of %s by %u: %s", way->method, s->key, client->uid, granted->message);
        else
                check_made(h->root, way, s);
        h->polkit->answer = POLKIT_YES;
        h->polkit->only_yes_to = NULL;
        undo(h->root, way, s);
}

static void stage(Harness *h, Client *alice) {
        g_autoptr(Call) network = NULL;

        world_make_image(h);
        world_make_volume(alice, "v1");
        network = client_run_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                                 g_variant_new_parsed("('net0', 'bridge', @a{ss} {}, @a{sv} {})"));
        call_assert_ok(network);
}

TEST(every_key_by_every_verb) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        unsigned turn = 0;

        stage(h, alice);
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *s = key_sample(row);
                unsigned possible = 0, ways_of_it = 0;

                if (!s->good)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                        bool alike;

                        if (!(row->scopes & ways[i].scope))
                                continue;
                        ways_of_it++;
                        if (!is_possible(h->root, &ways[i], s))
                                continue;
                        possible++;
                        /* Where it is root's, both are others: one of them in turn. */
                        alike = g_str_equal(ways[i].owner, ways[i].others);
                        if (!alike || turn % 2 == 0)
                                try(h, alice, &ways[i], s);
                        if (!alike || turn % 2 == 1)
                                try(h, bob, &ways[i], s);
                        turn++;
                }
                if (ways_of_it > 0 && possible == 0)
                        g_error("%s comes by no way", row->name);
        }
}

/* What no key takes comes in by no way, whoever says it. */
TEST(bad_values_are_refused_by_every_verb) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        stage(h, alice);
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *s = key_sample(row);
                const KeySample bad = { s->key, s->bad, NULL };

                for (size_t i = 0; s->bad && i < ELEMENTSOF(ways); i++) {
                        g_autofree char *before = NULL, *after = NULL;
                        g_autoptr(Call) call = NULL;

                        /* What an archive says for the service itself is left out of it. */
                        if (!(row->scopes & ways[i].scope) || ways[i].copies ||
                            (row->read_only && ways[i].open))
                                continue;
                        before = config_text(h->root, &ways[i]);
                        call = run(h->root, &ways[i], &bad);
                        if (!call->error || g_str_has_suffix(call->error, "AccessDenied"))
                                g_error("%s of %s=%s: %s", ways[i].method, bad.key, bad.good,
                                        call->error ?: "done");
                        after = config_text(h->root, &ways[i]);
                        g_assert_cmpstr(before, ==, after);
                }
        }
}

HARNESS_MAIN()
