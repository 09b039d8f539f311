/* SPDX-License-Identifier: Apache-2.0 */

/* Containers are copied, refreshed and put into other pools; what is interrupted is whole at the
 * next start, on one side or the other. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define DEFAULT "state/mounts/default/"
#define PLAIN "state/mounts/plain/"

static GVariant *named(const char *name, const char *options_text) {
        return g_variant_new("(s@a{sv})", name, options(options_text));
}

static void run_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, args);

        call_assert_ok(end);
}

static GVariant *config_of(Client *client, const char *path) {
        g_autoptr(Call) call = client_call(client, path, "Container.GetConfig",
                                           g_variant_new("(@a{sv})", no_options()));

        call_assert_ok(call);
        return g_variant_get_child_value(call->body, 0);
}

static void assert_key(Client *client, const char *path, const char *key, const char *expected) {
        g_autoptr(GVariant) config = config_of(client, path);
        const char *value = NULL;

        (void) g_variant_lookup(config, key, "&s", &value);
        g_assert_cmpstr(value, ==, expected);
}

static Harness *new_with_container(Client **ret_alice) {
        Harness *h = harness_new();
        g_autoptr(Call) pool = NULL, update = NULL;

        world_make_image(h);
        pool = client_run_job(h->root, PATH_ROOT, "Manager.CreateStoragePool",
                              g_variant_new_parsed("('plain', 'dir', @a{ss} {}, @a{sv} {})"));
        call_assert_ok(pool);
        *ret_alice = client_new(h, UID_ALICE);
        g_free(world_make_container(*ret_alice, "c1"));
        update = client_call(*ret_alice, C1, "Container.Update",
                             g_variant_new_parsed("({'user.a': '1'}, @as [], @a{sv} {})"));
        call_assert_ok(update);
        run_job(*ret_alice, C1, "Container.CreateSnapshot", named("s1", "{}"));
        return h;
}

TEST(a_copy_is_the_callers_own) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(GVariant) owner = NULL, config = NULL;
        g_autofree char *state = NULL;

        run_job(alice, C1, "Container.Start", g_variant_new("(@a{sv})", no_options()));
        bob = client_new(h, UID_BOB);
        run_job(bob, C1, "Container.Copy", named("c2", "{'config': <{'user.b': '2'}>}"));
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.enter");
        owner = client_get(bob, C2, "Owner");
        state = client_get_string(bob, C2, "State");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_BOB);
        g_assert_cmpstr(state, ==, "stopped");
        assert_key(bob, C2, "user.a", "1");
        assert_key(bob, C2, "user.b", "2");
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
        config = config_of(bob, C2);
        for (gsize i = 0; i < g_variant_n_children(config); i++) {
                const char *key;

                g_variant_get_child(config, i, "{&s&s}", &key, NULL);
                g_assert_true(!g_str_has_prefix(key, "volatile.") ||
                              g_str_equal(key, "volatile.base_image") ||
                              g_str_equal(key, "volatile.apply_template"));
        }
}

TEST(a_running_one_is_held_still) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *state = NULL;

        run_job(alice, C1, "Container.Start", g_variant_new("(@a{sv})", no_options()));
        run_job(alice, C1, "Container.Copy", named("c2", "{}"));
        g_assert_cmpuint(harness_count_runs(h, "runtime.freeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        state = client_get_string(alice, C1, "State");
        g_assert_cmpstr(state, ==, "running");
}

TEST(options_of_a_copy) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) taken = NULL, bad = NULL, pool = NULL;
        g_autoptr(GVariant) ephemeral = NULL;
        g_autofree char *where = NULL;

        run_job(alice, C1, "Container.Copy",
                named("c2", "{'without-snapshots': <true>, 'ephemeral': <true>, "
                            "'pool': <'plain'>}"));
        ephemeral = client_get(alice, C2, "Ephemeral");
        where = client_get_string(alice, C2, "StoragePool");
        g_assert_true(g_variant_get_boolean(ephemeral));
        g_assert_cmpstr(where, ==, "plain");
        g_assert_false(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_true(harness_has_file(h, PLAIN "containers/c2"));
        taken = client_run_job(alice, C1, "Container.Copy", named("c2", "{}"));
        call_assert_error(taken, ERROR_EXISTS, "c2");
        bad = client_run_job(alice, C1, "Container.Copy", named("../c3", "{}"));
        call_assert_error(bad, ERROR_INVALID_NAME, "c3");
        pool = client_run_job(alice, C1, "Container.Copy", named("c3", "{'pool': <'none'>}"));
        call_assert_error(pool, ERROR_NO_SUCH_POOL, "none");
        run_job(alice, C1 "/snapshot/s1", "Snapshot.Copy", named("c4", "{}"));
        assert_key(alice, "/org/berth1/container/c4", "user.a", "1");
}

/* What a key asks for is asked for whichever way it comes. */
TEST(a_copy_asks_for_its_keys) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) call = NULL;

        call = client_run_job(alice, C1, "Container.Copy",
                              named("c2", "{'config': <{'security.privileged': 'true'}>}"));
        call_assert_ok(call);
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.host-access");
        h->polkit->answer = POLKIT_NO;
        (void) call_free(TAKE_PTR(call));
        call = client_run_job(alice, C1, "Container.Copy",
                              named("c3", "{'config': <{'security.privileged': 'true'}>}"));
        call_assert_error(call, ERROR_ACCESS_DENIED, "host-access");
        g_assert_false(world_has_object(h, "/org/berth1/container/c3"));
}

TEST(a_failed_copy_leaves_nothing) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) end = NULL;

        harness_plan(h, "storage.container-copy", "fail NoSpace Full");
        end = client_run_job(alice, C1, "Container.Copy", named("c2", "{}"));
        call_assert_error(end, ERROR_NO_SPACE, "Full");
        g_assert_false(world_has_object(h, C2));
        g_assert_false(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_false(harness_has_file(h, "state/containers/c2"));
}

TEST(a_refresh_adds_and_removes_snapshots) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) denied = NULL, missing = NULL, self = NULL;

        run_job(alice, C1, "Container.Copy", named("c2", "{}"));
        run_job(alice, C1, "Container.CreateSnapshot", named("s2", "{}"));
        run_job(alice, C2, "Container.CreateSnapshot", named("own", "{}"));
        run_job(alice, C1, "Container.Copy", named("c2", "{'refresh': <true>}"));
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_true(world_has_object(h, C2 "/snapshot/s2"));
        g_assert_false(world_has_object(h, C2 "/snapshot/own"));

        bob = client_new(h, UID_BOB);
        denied = client_run_job(bob, C1, "Container.Copy", named("c2", "{'refresh': <true>}"));
        call_assert_error(denied, ERROR_ACCESS_DENIED, "c2");
        missing = client_run_job(alice, C1, "Container.Copy", named("c3", "{'refresh': <true>}"));
        call_assert_error(missing, ERROR_NO_SUCH_CONTAINER, "c3");
        self = client_run_job(alice, C1, "Container.Copy", named("c1", "{'refresh': <true>}"));
        call_assert_error(self, ERROR_INVALID_ARGS, "itself");
}

TEST(moved_to_another_pool) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) there = NULL, running = NULL;
        g_autofree char *where = NULL;

        run_job(alice, C1, "Container.Move", named("plain", "{}"));
        where = client_get_string(alice, C1, "StoragePool");
        g_assert_cmpstr(where, ==, "plain");
        g_assert_true(harness_has_file(h, PLAIN "containers/c1"));
        g_assert_true(harness_has_file(h, PLAIN "snapshots/c1/s1"));
        g_assert_false(harness_has_file(h, DEFAULT "containers/c1"));
        there = client_run_job(alice, C1, "Container.Move", named("plain", "{}"));
        call_assert_error(there, ERROR_EXISTS, "plain");
        run_job(alice, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        run_job(alice, C1, "Container.Start", g_variant_new("(@a{sv})", no_options()));
        running = client_run_job(alice, C1, "Container.Move", named("default", "{}"));
        call_assert_error(running, ERROR_ALREADY_RUNNING, "stop it first");
}

/* --- publishing --- */

static Call *publish(Client *client, const char *path, const char *options_text) {
        const char *method = strstr(path, "/snapshot/") ? "Snapshot.Publish" : "Container.Publish";

        return client_run_job(client, path, method,
                              g_variant_new("(@a{sv})", options(options_text)));
}

static char *image_of(const char *content) {
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, content, -1);

        return g_strconcat("/org/berth1/image/", g_ascii_isdigit(hash[0]) ? "_3" : "", hash, NULL);
}

TEST(published) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h G_GNUC_UNUSED = new_with_container(&alice);
        g_autofree char *image = image_of("c1");
        g_autoptr(Call) first = NULL, again = NULL, launch = NULL;
        g_autoptr(GVariant) owner = NULL, properties = NULL;
        const char *os = NULL, *mine = NULL;

        first = publish(alice, C1, "{'aliases': <['mine']>, 'properties': <{'mine': 'yes'}>, "
                                   "'compression': <'xz'>}");
        call_assert_ok(first);
        owner = client_get(alice, image, "Owner");
        properties = client_get(alice, image, "Properties");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_ALICE);
        (void) g_variant_lookup(properties, "os", "&s", &os);
        (void) g_variant_lookup(properties, "mine", "&s", &mine);
        g_assert_cmpstr(os, ==, "Fake"); /* of the image that it came from */
        g_assert_cmpstr(mine, ==, "yes");
        again = publish(alice, C1, "{}");
        call_assert_error(again, ERROR_EXISTS, "mine");
        launch = client_run_job(alice, PATH_ROOT, "Manager.CreateContainer",
                                g_variant_new_parsed("('c7', 'mine', @a{sv} {})"));
        call_assert_ok(launch);
}

TEST(publishing_a_running_one) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) refused = NULL, forced = NULL, bad = NULL, snapshot = NULL;
        guint before;

        bad = publish(alice, C1, "{'compression': <'rar'>}");
        call_assert_error(bad, ERROR_INVALID_ARGS, "rar");
        run_job(alice, C1, "Container.Start", g_variant_new("(@a{sv})", no_options()));
        refused = publish(alice, C1, "{}");
        call_assert_error(refused, ERROR_ALREADY_RUNNING, "stop it first");
        snapshot = publish(alice, C1 "/snapshot/s1", "{}");
        call_assert_ok(snapshot);
        before = h->root->signals->len;
        harness_plan(h, "image.publish", "fail NoSpace Full");
        forced = publish(alice, C1, "{'force': <true>}");
        call_assert_error(forced, ERROR_NO_SPACE, "Full");
        world_wait_for(h, before, C1, "State", "running");
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 2);
}

/* --- kill -9 --- */

static void kill_at_gate(Harness *h, Client *client, const char *operation, const char *method,
                         GVariant *args) {
        g_autofree char *job = NULL;

        harness_plan(h, operation, "gate");
        job = client_start_job(client, C1, method, args);
        world_wait_at_gate(h, job);
        harness_kill_service(h);
        harness_plan(h, operation, NULL);
        harness_start_service(h, NULL);
}

TEST(killed_while_copying) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *state = NULL;

        run_job(alice, C1, "Container.Start", g_variant_new("(@a{sv})", no_options()));
        kill_at_gate(h, alice, "storage.container-copy", "Container.Copy", named("c2", "{}"));
        g_assert_false(world_has_object(h, C2));
        g_assert_false(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_false(harness_has_file(h, DEFAULT "containers/c2"));
        /* The source was frozen. */
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        state = client_get_string(h->root, C1, "State");
        g_assert_cmpstr(state, ==, "running");
}

TEST(killed_while_moving) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *where = NULL;

        kill_at_gate(h, alice, "storage.container-copy", "Container.Move", named("plain", "{}"));
        where = client_get_string(h->root, C1, "StoragePool");
        g_assert_cmpstr(where, ==, "default");
        g_assert_true(harness_has_file(h, DEFAULT "containers/c1"));
        g_assert_false(harness_has_file(h, PLAIN "containers/c1"));
        g_assert_true(world_has_object(h, C1 "/snapshot/s1"));
        run_job(h->root, C1, "Container.Move", named("plain", "{}"));
}

TEST(killed_after_moving) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *where = NULL;

        kill_at_gate(h, alice, "storage.container-delete", "Container.Move", named("plain", "{}"));
        where = client_get_string(h->root, C1, "StoragePool");
        g_assert_cmpstr(where, ==, "plain");
        g_assert_true(harness_has_file(h, PLAIN "containers/c1"));
        g_assert_false(harness_has_file(h, DEFAULT "containers/c1"));
}

TEST(killed_while_publishing) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *image = image_of("c1");
        g_autoptr(Call) again = NULL;

        kill_at_gate(h, alice, "image.publish", "Container.Publish",
                     g_variant_new("(@a{sv})", no_options()));
        g_assert_false(world_has_object(h, image));
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
        again = publish(h->root, C1, "{}");
        call_assert_ok(again);
}

TEST(killed_while_refreshing) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autofree char *state = NULL;

        run_job(alice, C1, "Container.Copy", named("c2", "{}"));
        run_job(alice, C1, "Container.CreateSnapshot", named("s2", "{}"));
        run_job(alice, C2, "Container.CreateSnapshot", named("own", "{}"));
        kill_at_gate(h, alice, "storage.container-copy", "Container.Copy",
                     named("c2", "{'refresh': <true>}"));
        state = client_get_string(h->root, C2, "State");
        g_assert_cmpstr(state, ==, "stopped");
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_false(world_has_object(h, C2 "/snapshot/s2"));
        g_assert_true(world_has_object(h, C2 "/snapshot/own"));
        run_job(h->root, C1, "Container.Copy", named("c2", "{'refresh': <true>}"));
        g_assert_true(world_has_object(h, C2 "/snapshot/s2"));
        g_assert_false(world_has_object(h, C2 "/snapshot/own"));
}

/* The copy has a snapshot of the same name that is another one. */
TEST(killed_while_a_refresh_replaces_a_snapshot) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.container-copy", "old" },
                { "storage.snapshot-restore-end", "new" },
                { "storage.snapshot-delete", "new" },
                { "storage.snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Client) alice = NULL;
                g_autoptr(Harness) h = new_with_container(&alice);
                g_autofree char *killed = NULL, *refreshed = NULL;

                run_job(alice, C1, "Container.Copy", named("c2", "{}"));
                run_job(alice, C1, "Container.CreateSnapshot",
                        named("s2", "{'description': <'new'>}"));
                run_job(alice, C2, "Container.CreateSnapshot",
                        named("s2", "{'description': <'old'>}"));
                kill_at_gate(h, alice, cases[i].operation, "Container.Copy",
                             named("c2", "{'refresh': <true>}"));
                killed = client_get_string(h->root, C2 "/snapshot/s2", "Description");
                g_assert_cmpstr(killed, ==, cases[i].left);
                g_assert_cmpuint(harness_count_entries(h, DEFAULT "snapshots/c2"), ==, 2);
                run_job(h->root, C1, "Container.Copy", named("c2", "{'refresh': <true>}"));
                refreshed = client_get_string(h->root, C2 "/snapshot/s2", "Description");
                g_assert_cmpstr(refreshed, ==, "new");
                g_assert_cmpuint(harness_count_entries(h, DEFAULT "snapshots/c2"), ==, 2);
        }
}

HARNESS_MAIN()
