/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key decides: what polkit is asked about when a configuration of some class comes to a
 * container, by every way that it can come, from every kind of caller; that without the grant
 * nothing changes; and that a start asks for what nobody has granted.
 */

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/device.h"
#include "service/model/privilege.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define PATH_C1 "/org/berth1/container/c1"
#define PATH_P1 "/org/berth1/profile/p1"

/* A configuration of each class, and one of the same key that is harmless. */
static const struct {
        const char *key, *value, *harmless;
        const char *action; /* of the owner */
} classes[] = {
        { "user.x", "1", NULL, "use" },
        { "limits.memory", "1GiB", NULL, "use" },
        { "security.nesting", "true", "no", "use-kernel-surface" },
        { "linux.sysctl.net.ipv4.ip_forward", "1", NULL, "use-kernel-surface" },
        { "security.privileged", "true", "off", "host-access" },
        { "security.idmap.isolated", "false", "true", "host-access" },
        { "raw.lxc", "lxc.aa_profile=unconfined", NULL, "host-access" },
        { "raw.idmap", "both 1000 1000", NULL, "host-access" },
};

static GVariant *set_args(const char *key, const char *value) {
        return g_variant_new_parsed("({%s: %s}, @as [], @a{sv} {})", key, value);
}

static GVariant *unset_args(const char *key) {
        return g_variant_new_parsed("(@a{ss} {}, [%s], @a{sv} {})", key);
}

static GVariant *assign_args(const char *profile) {
        return g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default', %s]>})",
                                    profile);
}

static GVariant *create_args(const char *name, const char *key, const char *value) {
        return g_variant_new_parsed("(%s, 'fake', {'config': <{%s: %s}>})", name, key, value);
}

static bool is_above_use(const char *action) {
        return !g_str_equal(action, "use");
}

/* The call must ask for that action, with these details. */
static void expect_question(Harness *h, const char *action, const char *key) {
        const PolkitQuestion *q = mock_polkit_last(h->polkit);
        g_autofree char *id = g_strconcat("org.berth1.", action, NULL);

        g_assert_nonnull(q);
        g_assert_cmpstr(q->action, ==, id);
        g_assert_cmpstr(mock_polkit_get_detail(q, "keys"), ==, key);
}

/* polkit says no to all but `granted`; the call must fail, changing nothing, unless that is the
 * action it takes. */
static void try(Harness *h, Client *client, const char *granted, const char *action,
                const char *key, const char *path, const char *method, GVariant *args) {
        g_autofree char *id = granted ? g_strconcat("org.berth1.", granted, NULL) : NULL;
        guint asked = h->polkit->questions->len;
        g_autoptr(Call) call = NULL;

        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = id;
        call = g_str_has_suffix(method, "CreateContainer")
                       ? client_run_job(client, path, method, args)
                       : client_call(client, path, method, args);
        h->polkit->answer = POLKIT_YES;
        h->polkit->only_yes_to = NULL;
        if (client->uid == 0) {
                g_assert_cmpuint(h->polkit->questions->len, ==, asked);
                call_assert_ok(call);
                return;
        }
        g_assert_cmpuint(h->polkit->questions->len, ==, asked + 1);
        expect_question(h, action, key);
        if (g_strcmp0(granted, action) == 0)
                call_assert_ok(call);
        else
                call_assert_error(call, ERROR_ACCESS_DENIED, action);
}

static void must(Client *root, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(root, path, method, args);

        call_assert_ok(call);
}

static char *config_value(Client *root, const char *path, const char *key) {
        const char *method = strstr(path, "/profile/") ? "Profile.GetConfig"
                                                       : "Container.GetConfig";
        g_autoptr(Call) call = client_call(root, path, method,
                                           g_variant_new_parsed("(@a{sv} {},)"));
        g_autoptr(GVariant) config = NULL;
        char *value = NULL;

        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        (void) g_variant_lookup(config, key, "s", &value);
        return value;
}

/* --- the matrix --- */

/* All the ways of one class for one caller. `on_own`, `on_profile`: the action that it takes on the
 * container, on a profile. */
static void all_ways(Harness *h, Client *client, size_t i, const char *on_own,
                     const char *on_create, const char *on_profile) {
        const char *key = classes[i].key, *value = classes[i].value;
        const char *detail = is_above_use(classes[i].action) ? key : NULL;
        g_autofree char *before = NULL, *after = NULL;

        /* Set: neither a weaker action nor none at all is enough. */
        try(h, client, NULL, on_own, detail, PATH_C1, "Container.Update", set_args(key, value));
        if (client->uid != 0) {
                if (!g_str_equal(on_own, "use"))
                        try(h, client, "use", on_own, detail, PATH_C1, "Container.Update",
                            set_args(key, value));
                before = config_value(h->root, PATH_C1, key);
                g_assert_null(before);
        }
        try(h, client, on_own, on_own, detail, PATH_C1, "Container.Update", set_args(key, value));
        after = config_value(h->root, PATH_C1, key);
        g_assert_cmpstr(after, ==, value);
        /* Another key beside it is nobody's concern but the owner's. */
        try(h, client, client->uid == UID_ALICE ? "use" : "manage",
            client->uid == UID_ALICE ? "use" : "manage", NULL, PATH_C1, "Container.Update",
            set_args("user.other", value));
        /* Unset is a change of it as well. */
        try(h, client, NULL, on_own, detail, PATH_C1, "Container.Update", unset_args(key));
        try(h, client, on_own, on_own, detail, PATH_C1, "Container.Update", unset_args(key));

        /* Create. */
        try(h, client, on_create, on_create, detail, PATH_ROOT, "Manager.CreateContainer",
            create_args("n1", key, value));
        {
                g_autoptr(Call) deleted = client_run_job(
                        h->root, "/org/berth1/container/n1", "Container.Delete",
                        g_variant_new_parsed("(@a{sv} {},)"));

                call_assert_ok(deleted);
        }

        /* A profile that holds it, and gets it while a container uses it. */
        try(h, client, on_profile, on_profile, detail, PATH_ROOT, "Manager.CreateProfile",
            g_variant_new_parsed("('p2', {'config': <{%s: %s}>})", key, value));
        must(h->root, "/org/berth1/profile/p2", "Profile.Delete",
             g_variant_new_parsed("(@a{sv} {},)"));
        must(h->root, PATH_C1, "Container.Update", assign_args("p1"));
        if (client->uid != 0 && !g_str_equal(on_profile, "manage-profiles"))
                try(h, client, "manage-profiles", on_profile, detail, PATH_P1, "Profile.Update",
                    set_args(key, value));
        try(h, client, on_profile, on_profile, detail, PATH_P1, "Profile.Update",
            set_args(key, value));
        must(h->root, PATH_C1, "Container.Update", assign_args("p3"));

        /* The profile is assigned. */
        if (client->uid != 0 && is_above_use(classes[i].action))
                try(h, client, "use", on_own, detail, PATH_C1, "Container.Update",
                    assign_args("p1"));
        try(h, client, on_own, on_own, detail, PATH_C1, "Container.Update", assign_args("p1"));
        must(h->root, PATH_C1, "Container.Update", assign_args("p3"));
        try(h, client, on_profile, on_profile, detail, PATH_P1, "Profile.Update", unset_args(key));
}

static Harness *stage(Client **ret_alice) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(*ret_alice, "c1"));
        must(h->root, PATH_ROOT, "Manager.CreateProfile",
             g_variant_new_parsed("('p1', @a{sv} {})"));
        must(h->root, PATH_ROOT, "Manager.CreateProfile",
             g_variant_new_parsed("('p3', @a{sv} {})"));
        return h;
}

static const char *on_profile(const char *action) {
        return g_str_equal(action, "host-access") ? action : "manage-profiles";
}

TEST(the_owner) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                all_ways(h, alice, i, classes[i].action, classes[i].action,
                         on_profile(classes[i].action));
}

/* Whose container it is not needs "manage" for the ordinary, and the strongest for the rest: what
 * lets people use more of the kernel for themselves is no leave to change others' containers. */
TEST(another_user) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Client) bob = client_new(h, UID_BOB);

        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                all_ways(h, bob, i, is_above_use(classes[i].action) ? "host-access" : "manage",
                         classes[i].action, on_profile(classes[i].action));
}

TEST(root) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                all_ways(h, h->root, i, "use", "use", "use");
}

TEST(harmless_values_ask_for_nothing_more) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                if (classes[i].harmless)
                        try(h, alice, "use", "use", NULL, PATH_C1, "Container.Update",
                            set_args(classes[i].key, classes[i].harmless));
}

TEST(the_strongest_is_asked_for_once) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        try(h, alice, "host-access", "host-access", "raw.lxc,security.nesting", PATH_C1,
            "Container.Update",
            g_variant_new_parsed("({'raw.lxc': 'lxc.tty = 1', 'user.a': 'b', "
                                 "'security.nesting': 'true'}, @as [], @a{sv} {})"));
}

TEST(nobody_is_asked_about_what_is_wrong_anyway) {
        static const char *const wrong[] = {
                "({'raw.lxc': 'nonsense'}, @as [], @a{sv} {})",
                "({'raw.nosuch': 'x'}, @as [], @a{sv} {})",
                "({'security.privileged': 'true '}, @as [], @a{sv} {})",
                "({'volatile.x': 'y'}, @as [], @a{sv} {})",
        };
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        guint asked = h->polkit->questions->len;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                g_autoptr(Call) call = client_call(alice, PATH_C1, "Container.Update",
                                                   g_variant_new_parsed(wrong[i]));
                g_autoptr(Call) profile = client_call(h->root, PATH_P1, "Profile.Update",
                                                      g_variant_new_parsed(wrong[i]));

                call_assert_error(call, ERROR_INVALID_CONFIG, "key");
                call_assert_error(profile, ERROR_INVALID_CONFIG, "key");
        }
        g_assert_cmpuint(h->polkit->questions->len, ==, asked);
}

/* So it is with the types of devices. */
TEST(the_device_table_is_told) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) call = client_call(alice, PATH_ROOT, "Manager.GetDeviceTypes",
                                           g_variant_new_parsed("(@a{sv} {},)"));
        const DeviceType *type = device_type_table();
        g_autoptr(GVariant) types = NULL;
        const char *name;
        GVariantIter iter;
        GVariant *dict;

        call_assert_ok(call);
        types = g_variant_get_child_value(call->body, 0);
        g_variant_iter_init(&iter, types);
        for (; g_variant_iter_next(&iter, "(&s@a{sv})", &name, &dict); type++) {
                g_autoptr(GVariant) owned = dict, options = NULL;
                const DeviceOption *o = type->options;

                g_assert_cmpstr(name, ==, type->name);
                options = g_variant_lookup_value(owned, "options", G_VARIANT_TYPE("a(sa{sv})"));
                g_assert_nonnull(options);
                for (size_t i = 0; i < g_variant_n_children(options); i++, o++) {
                        g_autoptr(GVariant) row = g_variant_get_child_value(options, i);
                        g_autoptr(GVariant) option = g_variant_get_child_value(row, 1);
                        const char *text, *help;
                        gboolean required;

                        g_variant_get_child(row, 0, "&s", &text);
                        g_assert_cmpstr(text, ==, o->name);
                        g_assert_true(g_variant_lookup(option, "type", "&s", &text));
                        g_assert_cmpstr(text, ==, o->type);
                        g_assert_true(g_variant_lookup(option, "help", "&s", &help));
                        g_assert_cmpstr(help, ==, o->help);
                        g_assert_true(g_variant_lookup(option, "required", "b", &required));
                        g_assert_cmpint(required, ==, o->required);
                }
                g_assert_null(o->name);
        }
        g_assert_null(type->name);
}

/* What is told of the keys is the table, row by row. */
TEST(the_table_is_told) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) call = client_call(alice, PATH_ROOT, "Manager.GetConfigKeys",
                                           g_variant_new_parsed("(@a{sv} {},)"));
        const ConfigKey *row = config_key_table();
        g_autoptr(GVariant) keys = NULL;
        const char *name;
        GVariantIter iter;
        GVariant *dict;

        call_assert_ok(call);
        keys = g_variant_get_child_value(call->body, 0);
        g_variant_iter_init(&iter, keys);
        for (; g_variant_iter_next(&iter, "(&s@a{sv})", &name, &dict); row++) {
                g_autoptr(GVariant) owned = dict;
                const char *type = NULL, *help = NULL, *action = NULL, *fallback = NULL;
                gboolean live, secret, read_only;

                g_assert_cmpstr(name, ==, row->name);
                g_assert_true(g_variant_lookup(owned, "type", "&s", &type));
                g_assert_true(g_variant_lookup(owned, "help", "&s", &help));
                g_assert_true(g_variant_lookup(owned, "action", "&s", &action));
                g_assert_true(g_variant_lookup(owned, "live", "b", &live));
                g_assert_true(g_variant_lookup(owned, "secret", "b", &secret));
                g_assert_true(g_variant_lookup(owned, "read-only", "b", &read_only));
                (void) g_variant_lookup(owned, "default", "&s", &fallback);
                g_assert_cmpstr(type, ==, row->type);
                g_assert_cmpstr(help, ==, row->help);
                g_assert_cmpstr(action, ==,
                                row->scopes & CONFIG_SCOPE_SERVICE ?
                                        "configure" :
                                        privilege_to_string(config_class_privilege(row->class)));
                g_assert_cmpstr(fallback, ==, row->fallback);
                g_assert_cmpint(live, ==, row->live);
                g_assert_cmpint(secret, ==, row->secret);
                g_assert_cmpint(read_only, ==, row->read_only);
        }
        g_assert_null(row->name);
}

/* --- starting --- */

static void try_start(Harness *h, Client *client, const char *granted, const char *action) {
        g_autofree char *id = g_strconcat("org.berth1.", granted, NULL);
        g_autoptr(Call) call = NULL;

        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = id;
        call = client_run_job(client, PATH_C1, "Container.Start",
                              g_variant_new_parsed("(@a{sv} {},)"));
        h->polkit->answer = POLKIT_YES;
        h->polkit->only_yes_to = NULL;
        g_assert_true(g_str_has_suffix(mock_polkit_last(h->polkit)->action, action));
        if (g_str_equal(granted, action))
                call_assert_ok(call);
        else
                call_assert_error(call, ERROR_ACCESS_DENIED, action);
}

static void stop(Harness *h) {
        g_autoptr(Call) call = client_run_job(h->root, PATH_C1, "Container.Stop",
                                              g_variant_new_parsed("({'force': <true>},)"));

        call_assert_ok(call);
}

TEST(what_was_granted_is_started_without_more) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        must(h->root, PATH_C1, "Container.Update", set_args("security.nesting", "true"));
        try_start(h, alice, "use", "use");
        stop(h);
        must(h->root, PATH_C1, "Container.Update", unset_args("security.nesting"));
        must(h->root, PATH_P1, "Profile.Update", set_args("raw.lxc", "lxc.tty = 1"));
        must(h->root, PATH_C1, "Container.Update", assign_args("p1"));
        try_start(h, alice, "use", "use");
        stop(h);
        /* The grant is on disk. */
        harness_stop_service(h);
        harness_start_service(h, NULL);
        try_start(h, alice, "use", "use");
}

/* A record that nobody has granted: written by an older service, say, to which the key was
 * harmless. */
static void forget_grant(Harness *h, const char *record) {
        g_autofree char *path = g_build_filename(h->state_dir, record, NULL), *data = NULL;
        g_autoptr(GVariant) old = NULL, fields = NULL, new = NULL;
        GVariantDict dict;
        guint16 version;
        gsize size;

        g_assert_true(g_file_get_contents(path, &data, &size, NULL));
        old = g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE("(qa{sv})"), data, size,
                                                         FALSE, NULL, NULL));
        g_variant_get(old, "(q@a{sv})", &version, &fields);
        g_variant_dict_init(&dict, fields);
        g_assert_true(g_variant_dict_remove(&dict, "granted"));
        new = g_variant_ref_sink(g_variant_new("(q@a{sv})", version, g_variant_dict_end(&dict)));
        g_assert_true(g_file_set_contents(path, g_variant_get_data(new),
                                          (gssize) g_variant_get_size(new), NULL));
}

TEST(what_was_not_granted_asks_the_starter) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        must(h->root, PATH_C1, "Container.Update", set_args("security.nesting", "true"));
        harness_stop_service(h);
        forget_grant(h, "containers/c1");
        harness_start_service(h, NULL);
        try_start(h, alice, "use", "use-kernel-surface");
        try_start(h, alice, "use-kernel-surface", "use-kernel-surface");
        stop(h);
        /* The starter's grant counts from then on. */
        try_start(h, alice, "use", "use");
}

TEST(what_a_profile_was_not_granted_asks_the_starter) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Client) bob = client_new(h, UID_BOB);

        /* The profile comes first, so that the container's own grant covers nothing. */
        must(h->root, PATH_C1, "Container.Update", assign_args("p1"));
        must(h->root, PATH_P1, "Profile.Update", set_args("raw.lxc", "lxc.tty = 1"));
        harness_stop_service(h);
        forget_grant(h, "profiles/p1");
        harness_start_service(h, NULL);
        try_start(h, alice, "use", "host-access");
        try_start(h, bob, "manage", "host-access");
        try_start(h, bob, "host-access", "host-access");
}

/* A profile that only ceases to forbid what another one holds is a change of its users. */
TEST(a_profile_that_stops_hiding_another) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        must(h->root, PATH_P1, "Profile.Update", set_args("security.privileged", "true"));
        must(h->root, "/org/berth1/profile/p3", "Profile.Update",
             set_args("security.privileged", "false"));
        must(h->root, PATH_C1, "Container.Update",
             g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default', 'p1', 'p3']>})"));
        try(h, alice, "manage-profiles", "host-access", "security.privileged",
            "/org/berth1/profile/p3", "Profile.Update", unset_args("security.privileged"));
}

HARNESS_MAIN()
