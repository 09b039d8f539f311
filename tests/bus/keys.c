/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every key that a container can have, by every way that it can come to one, from its owner, from
 * another user and from root: what polkit is asked for is what the table says, nothing changes
 * without it, and it is there with it. Goes through the table, so no key is left out.
 */

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/privilege.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"
#include "tests/unit/classes.h"
#include "tests/unit/key-samples.h"

#define C1 "/org/berth1/container/c1"
#define N1 "/org/berth1/container/n1"
#define P2 "/org/berth1/profile/p2"
#define FACTS "'description': <''>, 'architecture': <'x86_64'>, 'ephemeral': <false>, " \
              "'created': <@t 5>, 'expires': <@t 0>, 'profiles': <['default']>"

typedef struct Way {
        const char *name;
        /* What it takes where the key itself takes no more than "use": of the owner, of others. */
        const char *owner, *others;
        const char *made; /* path of what it makes, NULL: it changes c1 */
        Call *(*run)(Client *client, const KeySample *sample);
        void (*prepare)(Client *root, const KeySample *sample);
} Way;

static void must(Call *owned) {
        g_autoptr(Call) call = owned;

        call_assert_ok(call);
}

static Call *update(Client *client, const KeySample *s, bool set) {
        return client_call(client, C1, "Container.Update",
                           set ? g_variant_new_parsed("({%s: %s}, @as [], @a{sv} {})", s->key,
                                                      s->good)
                               : g_variant_new_parsed("(@a{ss} {}, [%s], @a{sv} {})", s->key));
}

static Call *run_set(Client *client, const KeySample *s) {
        return update(client, s, true);
}

static Call *run_create(Client *client, const KeySample *s) {
        return client_run_job(client, PATH_ROOT, "Manager.CreateContainer",
                              g_variant_new_parsed("('n1', 'fake', {'config': <{%s: %s}>})",
                                                   s->key, s->good));
}

static Call *run_profile(Client *client, const KeySample *s) {
        return client_call(client, PATH_ROOT, "Manager.CreateProfile",
                           g_variant_new_parsed("('p2', {'config': <{%s: %s}>})", s->key,
                                                s->good));
}

static Call *run_copy(Client *client, const KeySample *s) {
        return client_run_job(client, C1, "Container.Copy",
                              g_variant_new_parsed("('n1', {'config': <{%s: %s}>})", s->key,
                                                   s->good));
}

static void prepare_restore(Client *root, const KeySample *s) {
        must(update(root, s, true));
        must(client_run_job(root, C1, "Container.CreateSnapshot",
                            g_variant_new_parsed("('s1', {'reuse': <true>})")));
        must(update(root, s, false));
}

static Call *run_restore(Client *client, const KeySample *s) {
        return client_run_job(client, C1, "Container.RestoreSnapshot",
                              g_variant_new_parsed("('s1', @a{sv} {})"));
}

static Call *run_import(Client *client, const KeySample *s) {
        g_autoptr(GVariant) config = g_variant_ref_sink(
                g_variant_new_parsed("{%s: %s}", s->key, s->good));
        g_autofree char *shown = g_variant_print(config, TRUE);
        g_autofree char *index = g_strdup_printf(
                "{'container': <{'name': <'n1'>, 'config': <%s>, 'devices': <@a{sa{ss}} {}>, " FACTS
                "}>, 'snapshots': <@aa{sv} []>}", shown);
        _cleanup_close_ int fd = world_new_archive(index);
        g_autoptr(Call) call = call_wait(client, client_begin_fds(
                client, PATH_ROOT, "Manager.ImportContainer",
                g_variant_new("(hs@a{sv})", 0, "", no_options()), &fd));

        return call->error ? g_steal_pointer(&call)
                           : client_wait_job(client, call_get_path(call));
}

static const Way ways[] = {
        { "set", "use", "manage", NULL, run_set, NULL },
        { "create", "use", "use", N1, run_create, NULL },
        { "profile", "manage-profiles", "manage-profiles", P2, run_profile, NULL },
        { "copy", "use", "enter", N1, run_copy, NULL },
        { "restore", "use", "manage", NULL, run_restore, prepare_restore },
        { "import", "use", "use", N1, run_import, NULL },
};

/* The action that tests/unit/classes and the way lead to. */
static const char *action_of(const Way *way, const KeySample *s, bool owner) {
        const char *const *class = classes_find("key", config_key_find(s->key)->name);
        bool own = owner || (way->made && !g_str_equal(way->name, "copy"));

        g_assert_nonnull(class);
        if (g_str_equal(class[0], "use") || g_strcmp0(class[1], s->good) == 0)
                return owner ? way->owner : way->others;
        if (g_str_equal(class[0], "host-access"))
                return class[0];
        /* Who manages profiles may have more of the kernel in them. */
        if (g_str_equal(way->name, "profile"))
                return way->owner;
        return own ? "use-kernel-surface" : "host-access";
}

static bool has_key(Client *root, const Way *way, const KeySample *s) {
        const char *path = way->made ?: C1;
        g_autoptr(Call) call = NULL;
        g_autoptr(GVariant) config = NULL;
        const char *value;

        if (!world_has_object(root->harness, path))
                return false;
        if (g_str_equal(path, P2))
                call = client_call(root, path, "Profile.GetConfig",
                                   g_variant_new_parsed("({'secrets': <true>},)"));
        else
                call = client_call(root, path, "Container.GetConfig",
                                   g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        return g_variant_lookup(config, s->key, "&s", &value) && g_str_equal(value, s->good);
}

static void undo(Client *root, const Way *way, const KeySample *s) {
        if (!way->made)
                must(update(root, s, false));
        else if (g_str_equal(way->made, P2))
                must(client_call(root, P2, "Profile.Delete",
                                 g_variant_new("(@a{sv})", no_options())));
        else {
                /* It may be one that keeps it from being deleted. */
                must(client_call(root, N1, "Container.Update",
                                 g_variant_new_parsed("(@a{ss} {}, [%s], @a{sv} {})", s->key)));
                must(client_run_job(root, N1, "Container.Delete",
                                    g_variant_new("(@a{sv})", no_options())));
        }
}

static void try(Harness *h, Client *client, const Way *way, const KeySample *s) {
        const char *action = action_of(way, s, client->uid == UID_ALICE);
        g_autofree char *id = g_strconcat("org.berth1.", action, NULL);
        g_autoptr(Call) refused = NULL, done = NULL;
        guint asked = h->polkit->questions->len;
        /* What is in an archive is known, and asked about, later than that one comes. */
        bool twice = way->run == run_import && !g_str_equal(action, "use");

        if (way->prepare)
                way->prepare(h->root, s);
        h->polkit->answer = POLKIT_NO;
        if (client->uid != 0) {
                h->polkit->only_yes_to = g_str_equal(action, "use") ? NULL : "org.berth1.use";
                refused = way->run(client, s);
                if (!refused->error || g_strcmp0(mock_polkit_last(h->polkit)->action, id) != 0)
                        g_error("%s by %s of %u: %s, asked for %s instead of %s", s->key, way->name,
                                client->uid, refused->error ?: "done",
                                mock_polkit_last(h->polkit)->action, id);
                call_assert_error(refused, ERROR_ACCESS_DENIED, action);
                g_assert_false(has_key(h->root, way, s));
                h->polkit->only_yes_to = id;
        }
        if (twice)
                h->polkit->answer = POLKIT_YES;
        done = way->run(client, s);
        h->polkit->answer = POLKIT_YES;
        h->polkit->only_yes_to = NULL;
        if (done->error || !has_key(h->root, way, s))
                g_error("%s by %s of %u: %s", s->key, way->name, client->uid,
                        done->error ? done->message : "it is not there");
        g_assert_cmpuint(h->polkit->questions->len, ==,
                         asked + (client->uid == 0 ? 0 : twice ? 4 : 2));
        undo(h->root, way, s);
}

static void all_keys(Harness *h, Client *client) {
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *s = key_sample(row);

                if (!(row->scopes & CONFIG_SCOPE_CONTAINER) || !s->good)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                        try(h, client, &ways[i], s);
        }
}

static Harness *stage(Client **ret_alice) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(*ret_alice, "c1"));
        return h;
}

TEST(of_the_owner) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        all_keys(h, alice);
}

TEST(of_another_user) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Client) bob = client_new(h, UID_BOB);

        all_keys(h, bob);
}

TEST(of_root) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        all_keys(h, h->root);
}

/* What no key takes comes in by no way, and nobody is asked about it. */
TEST(bad_values_are_refused_by_every_way) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *s = key_sample(row);
                KeySample bad = { s->key, s->bad, NULL };

                if (!(row->scopes & CONFIG_SCOPE_CONTAINER) || !s->bad)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                        guint asked = h->polkit->questions->len;
                        g_autoptr(Call) call = NULL;

                        /* What an archive says for the service itself is left out of it. */
                        if (ways[i].prepare ||
                            (row->read_only && g_str_equal(ways[i].name, "import")))
                                continue;
                        call = ways[i].run(alice, &bad);
                        if (!call->error)
                                g_error("%s=%s came in by %s", bad.key, bad.good, ways[i].name);
                        g_assert_false(has_key(h->root, &ways[i], &bad));
                        /* That one comes at all is asked for before it is read. */
                        g_assert_cmpuint(h->polkit->questions->len, ==,
                                         asked + (ways[i].run == run_import));
                }
        }
}

HARNESS_MAIN()
