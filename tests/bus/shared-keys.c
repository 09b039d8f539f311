/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every key of networks, storage pools, volumes and the service, by every verb that takes it, from
 * the owner, another user and root: what polkit is asked for is what tests/unit/classes says, and
 * nothing changes without it. Goes through the table, as keys.c does for containers.
 */

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
} Way;

static GVariant *update_args(GVariant *config, const KeySample *s) {
        return g_variant_new("(@a{ss}@as@a{sv})", config, g_variant_new_strv(NULL, 0),
                             no_options());
}

static GVariant *network_args(GVariant *config, const KeySample *s) {
        /* These belong to a link of the host. */
        bool macvlan = g_str_equal(s->key, "parent") || g_str_equal(s->key, "mtu");

        return g_variant_new("(ss@a{ss}@a{sv})", "new", macvlan ? "macvlan" : "bridge", config,
                             no_options());
}

static GVariant *pool_args(GVariant *config, const KeySample *s) {
        bool lvm = g_str_has_prefix(s->key, "lvm.") || g_str_has_prefix(s->key, "volume.block.");

        return g_variant_new("(ss@a{ss}@a{sv})", "new", lvm ? "lvm" : "btrfs", config,
                             no_options());
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
        { "update", PATH_ROOT, "Manager.UpdateConfig", CONFIG_SCOPE_SERVICE, "configure",
          "configure", NULL, update_args },
};

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
        if (g_str_equal(s->key, "mtu"))
                g_variant_builder_add(&config, "{ss}", "parent", "eth7");
        return g_variant_builder_end(&config);
}

static const char *action_of(const Way *way, const KeySample *s, bool owner) {
        const char *const *class = classes_find("key", config_key_find(s->key)->name);

        g_assert_nonnull(class);
        /* The service's own are all an administrator's. An MTU comes with a link of the host. */
        if (way->scope != CONFIG_SCOPE_SERVICE &&
            (g_str_equal(class[0], "host-access") ||
             (way->made && g_str_equal(s->key, "mtu"))))
                return "host-access";
        return owner ? way->owner : way->others;
}

static Call *run(Client *client, const Way *way, const KeySample *s) {
        GVariant *args = way->args(config_of(s), s);

        return way->made ? client_run_job(client, way->path, way->method, args)
                         : client_call(client, way->path, way->method, args);
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
        g_autoptr(Call) call = NULL;

        if (way->made)
                delete_made(root, way->made);
        else
                call = client_call(root, way->path, way->method,
                                   g_variant_new_parsed("(@a{ss} {}, [%s], @a{sv} {})", s->key));
}

/* Whether the key can come that way at all: root may do all that can be done. */
static bool is_possible(Client *root, const Way *way, const KeySample *s) {
        g_autoptr(Call) call = run(root, way, s);

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
        if (granted->error)
                g_error("%s of %s by %u: %s", way->method, s->key, client->uid, granted->message);
        h->polkit->answer = POLKIT_YES;
        h->polkit->only_yes_to = NULL;
        undo(h->root, way, s);
}

TEST(every_key_by_every_verb) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Call) network = NULL;

        world_make_image(h);
        world_make_volume(alice, "v1");
        network = client_run_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                                 g_variant_new_parsed("('net0', 'bridge', @a{ss} {}, @a{sv} {})"));
        call_assert_ok(network);
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *s = key_sample(row);
                unsigned possible = 0, ways_of_it = 0;

                if (!s->good)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                        if (!(row->scopes & ways[i].scope))
                                continue;
                        ways_of_it++;
                        if (!is_possible(h->root, &ways[i], s))
                                continue;
                        possible++;
                        try(h, alice, &ways[i], s);
                        try(h, bob, &ways[i], s);
                }
                if (ways_of_it > 0 && possible == 0)
                        g_error("%s comes by no way", row->name);
        }
}

HARNESS_MAIN()
