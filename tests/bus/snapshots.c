/* SPDX-License-Identifier: Apache-2.0 */

/* The life of snapshots: what they hold, what becomes of them with their container, and what is
 * found when berthd is killed half-way. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define S1 C1 "/snapshot/s1"
#define VOLUME "state/mounts/default/snapshots/"

static GVariant *nothing(void) {
        return g_variant_new("(@a{sv})", no_options());
}

static GVariant *named(const char *name, const char *options_text) {
        return g_variant_new("(s@a{sv})", name, options(options_text));
}

static void run_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, args);

        call_assert_ok(end);
}

static void set_keys(Client *client, const char *text) {
        g_autoptr(Call) call = client_call(
                client, C1, "Container.Update",
                g_variant_new("(@a{ss}@as@a{sv})", g_variant_new_parsed(text),
                              g_variant_new_strv(NULL, 0), no_options()));

        call_assert_ok(call);
}

static void assert_key(Client *client, const char *path, const char *interface, const char *key,
                       const char *expected) {
        g_autofree char *method = g_strconcat(interface, ".GetConfig", NULL);
        g_autoptr(Call) call = client_call(client, path, method, nothing());
        g_autoptr(GVariant) config = NULL;
        const char *value = NULL;

        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        (void) g_variant_lookup(config, key, "&s", &value);
        g_assert_cmpstr(value, ==, expected);
}

static Harness *new_with_container(void) {
        Harness *h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        return h;
}

static guint count_snapshots(Harness *h, const char *container) {
        g_autoptr(GVariant) paths = client_get(h->root, container, "Snapshots");

        return (guint) g_variant_n_children(paths);
}

TEST(created_listed_deleted) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) again = NULL;
        g_autofree char *name = NULL, *state = NULL, *description = NULL;
        g_autoptr(GVariant) container = NULL, expires = NULL;

        run_job(h->root, C1, "Container.CreateSnapshot",
                named("s1", "{'description': <'mine'>, 'expires': <uint64 99>}"));
        name = client_get_string(h->root, S1, "Name");
        state = client_get_string(h->root, S1, "State");
        description = client_get_string(h->root, S1, "Description");
        container = client_get(h->root, S1, "Container");
        expires = client_get(h->root, S1, "Expires");
        g_assert_cmpstr(name, ==, "s1");
        g_assert_cmpstr(state, ==, "ready");
        g_assert_cmpstr(description, ==, "mine");
        g_assert_cmpstr(g_variant_get_string(container, NULL), ==, C1);
        g_assert_cmpuint(g_variant_get_uint64(expires), ==, 99);
        g_assert_cmpuint(count_snapshots(h, C1), ==, 1);
        g_assert_true(harness_has_file(h, VOLUME "c1/s1"));
        g_assert_nonnull(client_find_signal(h->root, 0, PATH_ROOT, "InterfacesAdded"));
        again = client_run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        call_assert_error(again, ERROR_EXISTS, "s1");

        run_job(h->root, S1, "Snapshot.Delete", nothing());
        g_assert_false(world_has_object(h, S1));
        g_assert_cmpuint(count_snapshots(h, C1), ==, 0);
        g_assert_false(harness_has_file(h, VOLUME "c1/s1"));
        g_assert_nonnull(client_find_signal(h->root, 0, PATH_ROOT, "InterfacesRemoved"));
}

static bool can_restart(Harness *h) {
        g_autoptr(Call) end = client_run_job(h->root, C1, "Container.Restart",
                                             g_variant_new_parsed("({'force': <true>},)"));

        if (end->error)
                call_assert_error(end, ERROR_BUSY, NULL);
        return !end->error;
}

/* Each start, and nothing but a start. */
TEST(one_is_taken_at_the_start) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.Start", nothing());
        g_assert_cmpuint(count_snapshots(h, C1), ==, 0);
        run_job(h->root, C1, "Container.Stop",
                g_variant_new_parsed("({'force': <true>},)"));
        set_keys(h->root, "{'snapshots.schedule': '@startup'}");
        g_assert_cmpuint(count_snapshots(h, C1), ==, 0);
        run_job(h->root, C1, "Container.Start", nothing());
        HARNESS_WAIT(h, count_snapshots(h, C1) == 1);
        /* While it is taken the container is busy. */
        HARNESS_WAIT(h, can_restart(h));
        HARNESS_WAIT(h, count_snapshots(h, C1) == 2);
}

/* Two of one container cannot be deleted at a time; the second does not wait for a minute. */
TEST(what_is_due_meanwhile_is_done_right_after) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{'expires': <uint64 99>}"));
        run_job(h->root, C1, "Container.CreateSnapshot", named("s2", "{'expires': <uint64 99>}"));
        run_job(h->root, C1, "Container.CreateSnapshot", named("s3", "{'expires': <uint64 99>}"));
        harness_stop_service(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, count_snapshots(h, C1) == 0);
}

TEST(names) {
        static const char *const bad[] = { "a/b", "..", ".x", "-x", "a b", "\xc3\xa4" };
        g_autoptr(Harness) h = new_with_container();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(Call) call = client_run_job(h->root, C1, "Container.CreateSnapshot",
                                                      named(bad[i], "{}"));

                call_assert_error(call, ERROR_INVALID_NAME, "snapshot");
        }
        run_job(h->root, C1, "Container.CreateSnapshot", named("", "{}"));
        run_job(h->root, C1, "Container.CreateSnapshot", named("", "{}"));
        g_assert_true(world_has_object(h, C1 "/snapshot/snap0"));
        g_assert_true(world_has_object(h, C1 "/snapshot/snap1"));
}

TEST(reuse_replaces) {
        g_autoptr(Harness) h = new_with_container();

        set_keys(h->root, "{'user.a': '1'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        set_keys(h->root, "{'user.a': '2'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{'reuse': <true>}"));
        assert_key(h->root, S1, "Snapshot", "user.a", "2");
        g_assert_cmpuint(count_snapshots(h, C1), ==, 1);
}

static void assert_description(Harness *h, const char *expected) {
        g_autofree char *description = client_get_string(h->root, S1, "Description");
        g_autofree char *state = client_get_string(h->root, S1, "State");

        g_assert_cmpstr(description, ==, expected);
        g_assert_cmpstr(state, ==, "ready");
        g_assert_cmpuint(count_snapshots(h, C1), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, VOLUME "c1"), ==, 1);
        g_assert_true(harness_has_file(h, VOLUME "c1/s1"));
}

static Harness *new_with_old_snapshot(void) {
        Harness *h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{'description': <'old'>}"));
        return h;
}

static GVariant *new_in_its_place(void) {
        return named("s1", "{'description': <'new'>, 'reuse': <true>}");
}

/* Nobody sees or finds the one to come before it has its name. */
TEST(the_old_one_stays_until_the_new_one_is_there) {
        g_autoptr(Harness) h = new_with_old_snapshot();
        g_autofree char *job = NULL, *description = NULL;
        g_autoptr(Call) end = NULL, failed = NULL, restore = NULL;
        g_autoptr(GVariant) told = NULL;

        harness_plan(h, "storage.snapshot-create", "gate");
        job = client_start_job(h->root, C1, "Container.CreateSnapshot", new_in_its_place());
        world_wait_at_gate(h, job);
        description = client_get_string(h->root, S1, "Description");
        g_assert_cmpstr(description, ==, "old");
        g_assert_cmpuint(count_snapshots(h, C1), ==, 1);
        g_assert_false(world_has_object(h, C1 "/snapshot/_5fs1"));
        restore = client_call(h->root, C1, "Container.RestoreSnapshot", named("_s1", "{}"));
        call_assert_error(restore, ERROR_NO_SUCH_SNAPSHOT, "_s1");
        harness_open_gate(h, "storage.snapshot-create");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        assert_description(h, "new");

        harness_plan(h, "storage.snapshot-create", "fail NoSpace Full");
        failed = client_run_job(h->root, C1, "Container.CreateSnapshot",
                                named("s1", "{'reuse': <true>}"));
        call_assert_error(failed, ERROR_NO_SPACE, "Full");
        assert_description(h, "new");
        told = client_find_value(h->root, 0, C1 "/snapshot/_5fs1", "State");
        g_assert_null(told);
}

TEST(a_failed_one_leaves_nothing) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) end = NULL;

        harness_plan(h, "storage.snapshot-create", "fail NoSpace Full");
        end = client_run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        call_assert_error(end, ERROR_NO_SPACE, "Full");
        g_assert_false(world_has_object(h, S1));
        g_assert_cmpuint(count_snapshots(h, C1), ==, 0);
}

/* "dir" copies file by file: nothing may change meanwhile, whatever becomes of the copy. */
TEST(a_running_one_is_held_still) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) end = NULL;
        g_autofree char *state = NULL, *after = NULL;

        run_job(h->root, C1, "Container.Start", nothing());
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        g_assert_cmpuint(harness_count_runs(h, "runtime.freeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        state = client_get_string(h->root, C1, "State");
        g_assert_cmpstr(state, ==, "running");

        harness_plan(h, "storage.snapshot-create", "fail NoSpace Full");
        end = client_run_job(h->root, C1, "Container.CreateSnapshot", named("s2", "{}"));
        call_assert_error(end, ERROR_NO_SPACE, "Full");
        after = client_get_string(h->root, C1, "State");
        g_assert_cmpstr(after, ==, "running");
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 2);
}

TEST(restoring_brings_the_configuration_back) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) missing = NULL;

        set_keys(h->root, "{'user.a': 'old'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        set_keys(h->root, "{'user.a': 'new', 'user.b': 'more'}");
        run_job(h->root, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        assert_key(h->root, C1, "Container", "user.a", "old");
        assert_key(h->root, C1, "Container", "user.b", NULL);
        missing = client_run_job(h->root, C1, "Container.RestoreSnapshot", named("s9", "{}"));
        call_assert_error(missing, ERROR_NO_SUCH_SNAPSHOT, "s9");
}

TEST(restoring_a_running_one_starts_it_again) {
        g_autoptr(Harness) h = new_with_container();
        pid_t before, after;

        run_job(h->root, C1, "Container.Start", nothing());
        before = world_get_init(h->root, C1);
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        run_job(h->root, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        after = world_get_init(h->root, C1);
        g_assert_cmpint(after, >, 0);
        g_assert_cmpint(after, !=, before);
}

TEST(a_failed_restore_is_taken_back) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) end = NULL;

        set_keys(h->root, "{'user.a': 'old'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        set_keys(h->root, "{'user.a': 'new'}");
        harness_plan(h, "storage.snapshot-restore", "fail NoSpace Full");
        end = client_run_job(h->root, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        call_assert_error(end, ERROR_NO_SPACE, "Full");
        assert_key(h->root, C1, "Container", "user.a", "new");
        g_assert_cmpuint(harness_count_runs(h, "storage.snapshot-restore-undo"), ==, 1);
}

/* What the snapshot's configuration names must still be there. */
TEST(a_profile_that_has_gone) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) made = NULL, changed = NULL, back = NULL, gone = NULL, end = NULL;

        made = client_call(h->root, PATH_ROOT, "Manager.CreateProfile", named("p1", "{}"));
        call_assert_ok(made);
        changed = client_call(h->root, C1, "Container.Update",
                              g_variant_new_parsed("(@a{ss} {}, @as [], "
                                                   "{'profiles': <['default', 'p1']>})"));
        call_assert_ok(changed);
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        back = client_call(h->root, C1, "Container.Update",
                           g_variant_new_parsed("(@a{ss} {}, @as [], "
                                                "{'profiles': <['default']>})"));
        call_assert_ok(back);
        gone = client_call(h->root, "/org/berth1/profile/p1", "Profile.Delete", nothing());
        call_assert_ok(gone);
        end = client_run_job(h->root, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        call_assert_error(end, ERROR_NO_SUCH_PROFILE, "p1");
}

TEST(they_move_and_go_with_the_container) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        run_job(h->root, C1, "Container.Rename", named("c2", "{}"));
        g_assert_false(world_has_object(h, S1));
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_true(harness_has_file(h, VOLUME "c2/s1"));
        harness_kill_service(h);
        harness_start_service(h, NULL);
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
        run_job(h->root, C2, "Container.Delete", nothing());
        g_assert_false(world_has_object(h, C2 "/snapshot/s1"));
        g_assert_false(harness_has_file(h, VOLUME "c2/s1"));
}

TEST(renamed_and_updated) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(Call) update = NULL, taken = NULL;
        g_autofree char *description = NULL;

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        run_job(h->root, C1, "Container.CreateSnapshot", named("s2", "{}"));
        taken = client_run_job(h->root, S1, "Snapshot.Rename", named("s2", "{}"));
        call_assert_error(taken, ERROR_EXISTS, "s2");
        run_job(h->root, S1, "Snapshot.Rename", named("s3", "{}"));
        g_assert_false(world_has_object(h, S1));
        update = client_call(h->root, C1 "/snapshot/s3", "Snapshot.Update",
                             g_variant_new("(@a{sv})", options("{'description': <'text'>}")));
        call_assert_ok(update);
        harness_stop_service(h);
        harness_start_service(h, NULL);
        description = client_get_string(h->root, C1 "/snapshot/s3", "Description");
        g_assert_cmpstr(description, ==, "text");
        g_assert_true(harness_has_file(h, VOLUME "c1/s3"));
}

/* --- by themselves --- */

/* Made as long ago as it takes to have expired, while berthd was away or not. */
TEST(expired_ones_go) {
        g_autoptr(Harness) h = new_with_container();
        g_autofree char *soon = g_strdup_printf(
                "{'expires': <uint64 %" G_GINT64_FORMAT ">}",
                g_get_real_time() + 3 * G_USEC_PER_SEC);

        /* Not so soon that it is due while it is being made: that is seen to a minute later. */
        run_job(h->root, C1, "Container.CreateSnapshot", named("s2", "{'expires': <uint64 0>}"));
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", soon));
        HARNESS_WAIT(h, !world_has_object(h, C1 "/snapshot/s1"));
        g_assert_false(harness_has_file(h, VOLUME "c1/s1"));
        g_assert_true(world_has_object(h, C1 "/snapshot/s2"));

        run_job(h->root, C1, "Container.CreateSnapshot", named("s3", "{'expires': <uint64 5>}"));
        harness_kill_service(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, !world_has_object(h, C1 "/snapshot/s3"));
}

/* One of them goes before it is due, the other has another name by then. */
TEST(what_has_gone_is_not_due) {
        g_autoptr(Harness) h = new_with_container();
        g_autofree char *c2 = world_make_container(h->root, "c2");
        g_autofree char *soon = g_strdup_printf(
                "{'expires': <uint64 %" G_GINT64_FORMAT ">}",
                g_get_real_time() + 3 * G_USEC_PER_SEC);

        run_job(h->root, c2, "Container.CreateSnapshot", named("s1", soon));
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", soon));
        run_job(h->root, c2, "Container.Delete", nothing());
        run_job(h->root, C1, "Container.Rename",
                g_variant_new("(s@a{sv})", "c3", no_options()));
        g_assert_true(world_has_object(h, "/org/berth1/container/c3/snapshot/s1"));
        HARNESS_WAIT(h, !world_has_object(h, "/org/berth1/container/c3/snapshot/s1"));
        g_assert_true(world_has_object(h, "/org/berth1/container/c3"));
}

TEST(expiry_is_set_by_its_key) {
        g_autoptr(Harness) h = new_with_container();
        g_autoptr(GVariant) created = NULL, expires = NULL;

        set_keys(h->root, "{'snapshots.expiry': '1d', 'snapshots.pattern': 'day%d'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("", "{}"));
        created = client_get(h->root, C1 "/snapshot/day0", "Created");
        expires = client_get(h->root, C1 "/snapshot/day0", "Expires");
        g_assert_cmpuint(g_variant_get_uint64(expires) - g_variant_get_uint64(created), ==,
                         24 * 3600 * (guint64) G_USEC_PER_SEC);
}

/* --- kill -9 --- */

static void start_at_gate(Harness *h, const char *operation, const char *path, const char *method,
                          GVariant *args) {
        g_autofree char *job = NULL;

        harness_plan(h, operation, "gate");
        job = client_start_job(h->root, path, method, args);
        world_wait_at_gate(h, job);
}

static void kill_at_gate(Harness *h, const char *operation, const char *path, const char *method,
                         GVariant *args) {
        start_at_gate(h, operation, path, method, args);
        harness_kill_service(h);
        harness_plan(h, operation, NULL);
        harness_start_service(h, NULL);
}

static void assert_state(Harness *h, const char *expected) {
        g_autofree char *state = client_get_string(h->root, C1, "State");

        g_assert_cmpstr(state, ==, expected);
}

TEST(killed_while_taking_one) {
        g_autoptr(Harness) h = new_with_container();

        kill_at_gate(h, "storage.snapshot-create", C1, "Container.CreateSnapshot",
                     named("s1", "{}"));
        g_assert_false(world_has_object(h, S1));
        g_assert_false(harness_has_file(h, VOLUME "c1/s1"));
        assert_state(h, "stopped");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
}

TEST(killed_while_holding_one_still) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.Start", nothing());
        kill_at_gate(h, "storage.snapshot-create", C1, "Container.CreateSnapshot",
                     named("s1", "{}"));
        assert_state(h, "running");
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        g_assert_false(world_has_object(h, S1));
}

/* Once the new one is there it is done, before that it is undone; never neither. */
TEST(killed_while_replacing_one) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.snapshot-create", "old" },
                { "storage.snapshot-delete", "new" },
                { "storage.snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Harness) h = new_with_old_snapshot();

                kill_at_gate(h, cases[i].operation, C1, "Container.CreateSnapshot",
                             new_in_its_place());
                assert_description(h, cases[i].left);
                run_job(h->root, C1, "Container.CreateSnapshot", new_in_its_place());
                assert_description(h, "new");
        }
}

/* No job has it: then it can be changed. */
static bool is_free(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, C1, "Container.Update",
                                           g_variant_new_parsed("(@a{ss} {}, @as [], @a{sv} {})"));

        if (call->error)
                call_assert_error(call, ERROR_BUSY, "snapshot-recover");
        return !call->error;
}

/* The record is lost at such a moment: as long as it has files it is the old one, and from then on
 * the new one. */
TEST(what_was_half_replaced_is_recovered) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.snapshot-create", "old" },
                { "storage.snapshot-delete", "old" },
                { "storage.snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Harness) h = new_with_old_snapshot();

                start_at_gate(h, cases[i].operation, C1, "Container.CreateSnapshot",
                              new_in_its_place());
                harness_kill_service(h);
                harness_plan(h, cases[i].operation, NULL);
                harness_remove_tree(h, "state/containers/c1");
                harness_start_service(h, NULL);
                run_job(h->root, PATH_ROOT, "Manager.Recover",
                        g_variant_new_parsed("(@aa{sv} [], @a{sv} {})"));
                HARNESS_WAIT(h, is_free(h));
                assert_description(h, cases[i].left);
        }
}

/* A worker fails that the service cannot do without: the next verb that comes finishes it. */
TEST(what_cannot_be_replaced_at_once_is_later) {
        static const char *const operations[] = { "storage.snapshot-delete",
                                                  "storage.snapshot-rename" };

        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                g_autoptr(Harness) h = new_with_old_snapshot();
                g_autoptr(Call) failed = NULL, taken = NULL;

                harness_plan(h, operations[i], "fail BackendFailed Not now");
                failed = client_run_job(h->root, C1, "Container.CreateSnapshot",
                                        new_in_its_place());
                call_assert_error(failed, ERROR_BACKEND_FAILED, "Not now");
                taken = client_run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
                call_assert_error(taken, ERROR_EXISTS, "s1");
                harness_plan(h, operations[i], NULL);
                run_job(h->root, C1, "Container.CreateSnapshot", named("s2", "{}"));
                run_job(h->root, C1 "/snapshot/s2", "Snapshot.Delete", nothing());
                assert_description(h, "new");
        }
}

TEST(killed_while_deleting_one) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        kill_at_gate(h, "storage.snapshot-delete", S1, "Snapshot.Delete", nothing());
        g_assert_false(world_has_object(h, S1));
        g_assert_false(harness_has_file(h, VOLUME "c1/s1"));
}

TEST(killed_while_renaming_one) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        kill_at_gate(h, "storage.snapshot-rename", S1, "Snapshot.Rename", named("s2", "{}"));
        g_assert_false(world_has_object(h, S1));
        g_assert_true(world_has_object(h, C1 "/snapshot/s2"));
        g_assert_true(harness_has_file(h, VOLUME "c1/s2"));
}

/* Begun is done: the snapshot is still there, what was is not certain to be. */
static void killed_while_restoring(const char *operation) {
        g_autoptr(Harness) h = new_with_container();

        set_keys(h->root, "{'user.a': 'old'}");
        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        set_keys(h->root, "{'user.a': 'new'}");
        kill_at_gate(h, operation, C1, "Container.RestoreSnapshot", named("s1", "{}"));
        assert_key(h->root, C1, "Container", "user.a", "old");
        assert_state(h, "stopped");
        g_assert_true(world_has_object(h, S1));
        run_job(h->root, C1, "Container.Start", nothing());
}

TEST(killed_while_restoring_files) {
        killed_while_restoring("storage.snapshot-restore");
}

TEST(killed_while_tidying_up) {
        killed_while_restoring("storage.snapshot-restore-end");
}

TEST(killed_while_renaming_the_container) {
        g_autoptr(Harness) h = new_with_container();

        run_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        kill_at_gate(h, "storage.container-rename", C1, "Container.Rename", named("c2", "{}"));
        g_assert_false(world_has_object(h, S1));
        g_assert_true(world_has_object(h, C2 "/snapshot/s1"));
}

TEST(busy_while_one_is_taken) {
        g_autoptr(Harness) h = new_with_container();
        g_autofree char *job = NULL;
        g_autoptr(Call) start = NULL, second = NULL, end = NULL;

        harness_plan(h, "storage.snapshot-create", "gate");
        job = client_start_job(h->root, C1, "Container.CreateSnapshot", named("s1", "{}"));
        world_wait_at_gate(h, job);
        start = client_run_job(h->root, C1, "Container.Start", nothing());
        call_assert_error(start, ERROR_BUSY, "snapshot-create");
        second = client_run_job(h->root, S1, "Snapshot.Delete", nothing());
        call_assert_error(second, ERROR_BUSY, "snapshot-create");
        harness_open_gate(h, "storage.snapshot-create");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
}

HARNESS_MAIN()
