/* SPDX-License-Identifier: Apache-2.0 */

/* Stopping a container with the state of its processes, and starting it again; snapshots with such
 * a state: who may, what is recorded when, and what is left by failures and crashes. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define S1 C1 "/snapshot/s1"
#define S2 C1 "/snapshot/s2"
#define STATEFUL "({'stateful': <true>},)"
#define S1_STATEFUL "('s1', {'stateful': <true>})"
#define STATELESS "({'stateless': <true>},)"

static void run(Client *client, const char *method, const char *args) {
        g_autoptr(Call) end = client_run_job(client, C1, method, g_variant_new_parsed(args));

        call_assert_ok(end);
}

static void run_fails(Client *client, const char *method, const char *args, ErrorCode code,
                      const char *text) {
        g_autoptr(Call) end = client_run_job(client, C1, method, g_variant_new_parsed(args));

        call_assert_error(end, code, text);
}

static void allow(Harness *h) {
        g_autoptr(Call) call = client_call(
                h->root, PATH_ROOT, "Manager.UpdateConfig",
                g_variant_new_parsed("({'criu.enabled': 'true'}, @as [], @a{sv} {})"));

        call_assert_ok(call);
}

static bool is_stateful(Harness *h) {
        g_autoptr(GVariant) value = client_get(h->root, C1, "Stateful");

        return g_variant_get_boolean(value);
}

static void assert_state(Harness *h, const char *state) {
        g_autofree char *value = client_get_string(h->root, C1, "State");

        g_assert_cmpstr(value, ==, state);
}

/* The last start that was asked for. */
static void assert_started_with(Harness *h, const char *part, const char *other) {
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
        const char *last = NULL;

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, "runtime.start "))
                        last = *line;
        g_assert_nonnull(last);
        g_assert_nonnull(strstr(last, part));
        g_assert_nonnull(strstr(last, other));
}

static Harness *new_running(bool allowed) {
        Harness *h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        if (allowed)
                allow(h);
        run(h->root, "Container.Start", "(@a{sv} {},)");
        return h;
}

TEST(it_has_to_be_turned_on) {
        Harness *h = new_running(false);

        run_fails(h->root, "Container.Stop", STATEFUL, ERROR_NOT_SUPPORTED, "criu.enabled");
        g_assert_cmpuint(harness_count_runs(h, "runtime.dump"), ==, 0);
        assert_state(h, "running");
        allow(h);
        run(h->root, "Container.Stop", STATEFUL);
        harness_free(h);
}

TEST(it_goes_on_where_it_was) {
        Harness *h = new_running(true);

        assert_started_with(h, "'state': <''>", "'stateless': <false>");
        run(h->root, "Container.Stop", STATEFUL);
        assert_state(h, "stopped");
        g_assert_true(is_stateful(h));
        g_assert_cmpuint(harness_count_runs(h, "runtime.freeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "storage.state-create"), ==, 1);
        g_assert_true(harness_has_file(h, "state/state.key"));
        /* Also after the service has. */
        harness_stop_service(h);
        harness_start_service(h, NULL);
        g_assert_true(is_stateful(h));
        run(h->root, "Container.Start", "(@a{sv} {},)");
        assert_started_with(h, "/states/c1'>", "'stateless': <false>");
        g_assert_false(is_stateful(h));
        run(h->root, "Container.Stop", "({'force': <true>},)");
        run(h->root, "Container.Start", "(@a{sv} {},)");
        assert_started_with(h, "'state': <''>", "'stateless': <false>");
        harness_free(h);
}

TEST(it_can_begin_anew) {
        Harness *h = new_running(true);

        run(h->root, "Container.Stop", STATEFUL);
        run(h->root, "Container.Start", STATELESS);
        assert_started_with(h, "/states/c1'>", "'stateless': <true>");
        g_assert_false(is_stateful(h));
        harness_free(h);
}

TEST(what_is_allowed_no_more_is_not_restored) {
        Harness *h = new_running(true);
        g_autoptr(Call) off = NULL;

        run(h->root, "Container.Stop", STATEFUL);
        off = client_call(h->root, PATH_ROOT, "Manager.UpdateConfig",
                          g_variant_new_parsed("(@a{ss} {}, ['criu.enabled'], @a{sv} {})"));
        call_assert_ok(off);
        run_fails(h->root, "Container.Start", "(@a{sv} {},)", ERROR_NOT_SUPPORTED, "stateless");
        g_assert_true(is_stateful(h));
        run(h->root, "Container.Start", STATELESS);
        harness_free(h);
}

/* CRIU says no: it goes on as if nothing had been. */
TEST(what_cannot_be_saved_goes_on) {
        Harness *h = new_running(true);

        harness_plan(h, "runtime.dump", "fail BackendFailed CRIU cannot\n");
        run_fails(h->root, "Container.Stop", STATEFUL, ERROR_BACKEND_FAILED, "CRIU cannot");
        assert_state(h, "running");
        g_assert_false(is_stateful(h));
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "storage.state-delete"), ==, 1);
        harness_plan(h, "runtime.dump", NULL);
        run(h->root, "Container.Stop", STATEFUL);
        harness_free(h);
}

TEST(what_cannot_be_restored_is_kept) {
        Harness *h = new_running(true);

        run(h->root, "Container.Stop", STATEFUL);
        harness_plan(h, "runtime.start", "fail BackendFailed CRIU cannot\n");
        run_fails(h->root, "Container.Start", "(@a{sv} {},)", ERROR_BACKEND_FAILED, "CRIU cannot");
        g_assert_true(is_stateful(h));
        assert_state(h, "stopped");
        harness_plan(h, "runtime.start", NULL);
        run(h->root, "Container.Start", "(@a{sv} {},)");
        harness_free(h);
}

static void crash_while_it_starts(Harness *h) {
        g_autofree char *job = NULL;

        run(h->root, "Container.Stop", STATEFUL);
        harness_plan(h, "runtime.start", "gate\n");
        job = client_start_job(h->root, C1, "Container.Start",
                               g_variant_new_parsed("(@a{sv} {},)"));
        world_wait_at_gate(h, job);
        harness_kill_service(h);
}

TEST(a_crash_while_it_starts_keeps_the_state) {
        Harness *h = new_running(true);

        crash_while_it_starts(h);
        harness_plan(h, "runtime.start", "fail BackendFailed nothing of it ran\n");
        harness_start_service(h, NULL);
        assert_started_with(h, "'take-over': <true>", "/states/c1");
        g_assert_true(is_stateful(h));
        assert_state(h, "stopped");
        harness_free(h);
}

/* A state over files that have changed would be worse than none. */
TEST(a_crash_after_it_went_on_takes_it_over) {
        Harness *h = new_running(true);

        crash_while_it_starts(h);
        harness_plan(h, "runtime.start", NULL);
        harness_start_service(h, NULL);
        g_assert_false(is_stateful(h));
        assert_state(h, "running");
        harness_free(h);
}

TEST(a_worker_that_dies_while_it_starts_is_taken_over) {
        Harness *h = new_running(true);

        run(h->root, "Container.Stop", STATEFUL);
        harness_plan(h, "runtime.start", "die 9\n");
        run_fails(h->root, "Container.Start", "(@a{sv} {},)", ERROR_FAILED, "signal 9");
        assert_started_with(h, "'take-over': <true>", "/states/c1");
        g_assert_true(is_stateful(h));
        harness_free(h);
}

TEST(a_crash_while_it_is_saved_lets_it_go_on) {
        Harness *h = new_running(true);
        g_autofree char *job = NULL;

        harness_plan(h, "runtime.dump", "gate\n");
        job = client_start_job(h->root, C1, "Container.Stop", g_variant_new_parsed(STATEFUL));
        world_wait_at_gate(h, job);
        harness_kill_service(h);
        harness_plan(h, "runtime.dump", NULL);
        harness_start_service(h, NULL);
        g_assert_false(is_stateful(h));
        world_wait_for(h, 0, C1, "State", "running");
        harness_free(h);
}

/* From when it is on disk the state counts, whoever hears the end. */
TEST(a_crash_after_it_was_killed_keeps_the_state) {
        Harness *h = new_running(true);
        g_autofree char *job = NULL;
        guint from;

        run(h->root, "Container.Stop", "({'force': <true>},)");
        harness_plan(h, "runtime.start", "set monitor hang\n");
        run(h->root, "Container.Start", "(@a{sv} {},)");
        from = h->root->signals->len;
        job = client_start_job(h->root, C1, "Container.Stop", g_variant_new_parsed(STATEFUL));
        world_wait_for(h, from, C1, "State", "stopping");
        harness_kill_service(h);
        harness_start_service(h, NULL);
        g_assert_true(is_stateful(h));
        harness_free(h);
}

TEST(it_stays_where_its_state_is) {
        Harness *h = new_running(true);

        run(h->root, "Container.Stop", STATEFUL);
        run_fails(h->root, "Container.Rename", "('c9', @a{sv} {})", ERROR_IN_USE, "start it first");
        run(h->root, "Container.Delete", "(@a{sv} {},)");
        harness_free(h);
}

/* Its owner needs more leave than for a stop. */
TEST(memory_for_root_takes_a_privilege) {
        Harness *h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        world_make_image(h);
        allow(h);
        h->polkit->answer = POLKIT_YES;
        g_free(world_make_container(alice, "c1"));
        run(alice, "Container.Start", "(@a{sv} {},)");
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = "org.berth1.use";
        run_fails(alice, "Container.Stop", STATEFUL, ERROR_ACCESS_DENIED, "");
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.use-kernel-surface");
        assert_state(h, "running");
        h->polkit->only_yes_to = "org.berth1.use-kernel-surface";
        run(alice, "Container.Stop", STATEFUL);
        h->polkit->only_yes_to = "org.berth1.use";
        run_fails(alice, "Container.Start", "(@a{sv} {},)", ERROR_ACCESS_DENIED, "");
        g_assert_true(is_stateful(h));
        run(alice, "Container.Start", STATELESS);
        harness_free(h);
}

TEST(options_that_make_no_sense_together) {
        Harness *h = new_running(true);

        run_fails(h->root, "Container.Stop", "({'stateful': <true>, 'force': <true>},)",
                  ERROR_INVALID_ARGS, "force");
        run_fails(h->root, "Container.Restart", STATEFUL, ERROR_INVALID_ARGS, "stateful");
        run(h->root, "Container.Stop", "({'force': <true>},)");
        run_fails(h->root, "Container.Stop", STATEFUL, ERROR_NOT_RUNNING, "c1");
        harness_free(h);
}

/* --- snapshots --- */

static bool snapshot_is_stateful(Harness *h, const char *path) {
        g_autoptr(GVariant) value = client_get(h->root, path, "Stateful");

        return g_variant_get_boolean(value);
}

TEST(a_snapshot_holds_the_state_and_the_container_goes_on) {
        Harness *h = new_running(true);

        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        assert_state(h, "running");
        g_assert_true(snapshot_is_stateful(h, S1));
        g_assert_false(is_stateful(h));
        /* Files and processes are of one moment. */
        g_assert_cmpuint(harness_count_runs(h, "runtime.freeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.dump"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        run(h->root, "Container.CreateSnapshot", "('s2', @a{sv} {})");
        g_assert_false(snapshot_is_stateful(h, S2));
        harness_stop_service(h);
        harness_start_service(h, NULL);
        g_assert_true(snapshot_is_stateful(h, S1));
        g_assert_false(snapshot_is_stateful(h, S2));
        harness_free(h);
}

/* As often as one likes; running or not. */
TEST(a_snapshot_is_gone_back_to_with_its_state) {
        Harness *h = new_running(true);

        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        for (int i = 0; i < 2; i++) {
                run(h->root, "Container.RestoreSnapshot", S1_STATEFUL);
                assert_state(h, "running");
                assert_started_with(h, "/snapshot-states/c1/s1'>", "'keep-state': <true>");
                g_assert_true(snapshot_is_stateful(h, S1));
                if (i == 0)
                        run(h->root, "Container.Stop", "({'force': <true>},)");
        }
        run(h->root, "Container.RestoreSnapshot", "('s1', @a{sv} {})");
        assert_started_with(h, "'state': <''>", "'keep-state': <false>");
        harness_free(h);
}

TEST(a_snapshot_without_a_state_says_so) {
        Harness *h = new_running(true);

        run(h->root, "Container.CreateSnapshot", "('s1', @a{sv} {})");
        run_fails(h->root, "Container.RestoreSnapshot", S1_STATEFUL, ERROR_INVALID_ARGS,
                  "without the state");
        assert_state(h, "running");
        run(h->root, "Container.Stop", "({'force': <true>},)");
        run_fails(h->root, "Container.CreateSnapshot", "('s2', {'stateful': <true>})",
                  ERROR_NOT_RUNNING, "c1");
        harness_free(h);
}

TEST(snapshots_with_a_state_have_to_be_turned_on) {
        Harness *h = new_running(false);
        g_autoptr(Call) off = NULL;

        run_fails(h->root, "Container.CreateSnapshot", S1_STATEFUL, ERROR_NOT_SUPPORTED,
                  "criu.enabled");
        allow(h);
        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        off = client_call(h->root, PATH_ROOT, "Manager.UpdateConfig",
                          g_variant_new_parsed("(@a{ss} {}, ['criu.enabled'], @a{sv} {})"));
        call_assert_ok(off);
        run_fails(h->root, "Container.RestoreSnapshot", S1_STATEFUL, ERROR_NOT_SUPPORTED,
                  "criu.enabled");
        run(h->root, "Container.RestoreSnapshot", "('s1', @a{sv} {})");
        harness_free(h);
}

TEST(a_snapshot_that_cannot_be_saved_is_none) {
        Harness *h = new_running(true);

        harness_plan(h, "runtime.dump", "fail BackendFailed CRIU cannot\n");
        run_fails(h->root, "Container.CreateSnapshot", S1_STATEFUL, ERROR_BACKEND_FAILED,
                  "CRIU cannot");
        assert_state(h, "running");
        g_assert_false(world_has_object(h, S1));
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "storage.state-delete"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "storage.snapshot-create"), ==, 0);
        harness_free(h);
}

TEST(a_snapshot_that_cannot_be_restored_keeps_its_state) {
        Harness *h = new_running(true);

        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        harness_plan(h, "runtime.start", "fail BackendFailed CRIU cannot\n");
        run_fails(h->root, "Container.RestoreSnapshot", S1_STATEFUL, ERROR_BACKEND_FAILED,
                  "CRIU cannot");
        assert_state(h, "stopped");
        g_assert_true(snapshot_is_stateful(h, S1));
        harness_plan(h, "runtime.start", NULL);
        run(h->root, "Container.RestoreSnapshot", S1_STATEFUL);
        harness_free(h);
}

TEST(a_crash_while_a_snapshot_is_saved_leaves_none) {
        Harness *h = new_running(true);
        g_autofree char *job = NULL;

        harness_plan(h, "runtime.dump", "gate\n");
        job = client_start_job(h->root, C1, "Container.CreateSnapshot",
                               g_variant_new_parsed(S1_STATEFUL));
        world_wait_at_gate(h, job);
        harness_kill_service(h);
        harness_plan(h, "runtime.dump", NULL);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, !world_has_object(h, S1));
        assert_state(h, "running");
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        harness_free(h);
}

/* The state is for that container alone. */
TEST(a_state_stays_where_its_container_is) {
        Harness *h = new_running(true);

        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        run(h->root, "Container.Copy", "('c2', @a{sv} {})");
        g_assert_false(snapshot_is_stateful(h, "/org/berth1/container/c2/snapshot/s1"));
        run(h->root, "Container.Stop", "({'force': <true>},)");
        run_fails(h->root, "Container.Rename", "('c9', @a{sv} {})", ERROR_IN_USE,
                  "delete it first");
        harness_free(h);
}

TEST(its_files_stay_as_they_are) {
        Harness *h = new_running(true);
        g_autoptr(Call) copy = NULL;

        run(h->root, "Container.Copy", "('c2', @a{sv} {})");
        run(h->root, "Container.MakeDirectory", "('/d', @a{sv} {})");
        run(h->root, "Container.Stop", STATEFUL);
        run_fails(h->root, "Container.MakeDirectory", "('/e', @a{sv} {})", ERROR_IN_USE,
                  "is saved");
        run_fails(h->root, "Container.DeletePath", "('/d', @a{sv} {})", ERROR_IN_USE, "is saved");
        g_assert_cmpuint(harness_count_runs(h, "files.make-directory"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "files.delete"), ==, 0);
        run(h->root, "Container.Start", "(@a{sv} {},)");
        run(h->root, "Container.DeletePath", "('/d', @a{sv} {})");
        /* Nor do they become those of another container. */
        run(h->root, "Container.Stop", STATEFUL);
        copy = client_run_job(h->root, "/org/berth1/container/c2", "Container.Copy",
                              g_variant_new_parsed("('c1', {'refresh': <true>})"));
        call_assert_error(copy, ERROR_IN_USE, "is saved");
        harness_free(h);
}

/* --- to another host --- */

static void put_migration_key(Harness *h) {
        g_autofree char *path = g_build_filename(h->state_dir, "migration.key", NULL);

        g_assert_true(g_file_set_contents(path, "0123456789abcdef0123456789abcdef", 32, NULL));
}

static Call *move_state(Client *client, const char *method, int fd) {
        g_autoptr(Call) started = call_wait(
                client, client_begin_fds(client, C1, method,
                                         g_variant_ref_sink(g_variant_new_parsed(
                                                 "(handle 0, @a{sv} {})")), &fd));

        return started->error ? TAKE_PTR(started)
                              : client_wait_job(client, call_get_path(started));
}

static void send_fails(Harness *h, const char *method, ErrorCode code, const char *text) {
        _cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
        g_autoptr(Call) end = move_state(h->root, method, fd);

        call_assert_error(end, code, text);
}

/* What another host says of a state that it saved. */
#define INDEX(_base) \
        "{'container': <{'name': <'c1'>, 'config': <{'idmap.base': '" _base "', 'idmap.size': " \
        "'65536'}>}>}"

static Call *receive(Harness *h, const char *index) {
        _cleanup_close_ int fd = world_new_archive(index);

        return move_state(h->root, "Container.ReceiveState", fd);
}

TEST(states_leave_with_a_key_that_both_hosts_have) {
        Harness *h = new_running(true);
        g_autoptr(Call) end = NULL;
        _cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);

        run(h->root, "Container.Stop", STATEFUL);
        send_fails(h, "Container.SendState", ERROR_NOT_SUPPORTED, "migration.key");
        send_fails(h, "Container.ReceiveState", ERROR_NOT_SUPPORTED, "migration.key");
        put_migration_key(h);
        end = move_state(h->root, "Container.SendState", fd);
        call_assert_ok(end);
        g_assert_cmpuint(harness_count_runs(h, "runtime.sign"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "image.export-state"), ==, 1);
        g_assert_true(is_stateful(h));
        harness_plan(h, "runtime.sign", "fail BackendFailed wrong\n");
        send_fails(h, "Container.SendState", ERROR_BACKEND_FAILED, "wrong");
        g_assert_cmpuint(harness_count_runs(h, "image.export-state"), ==, 1);
        harness_free(h);
}

TEST(only_what_was_saved_is_sent) {
        Harness *h = new_running(true);
        g_autoptr(Call) end = NULL;

        put_migration_key(h);
        send_fails(h, "Container.SendState", ERROR_BUSY, "running");
        /* Of which nothing would be left there. */
        run(h->root, "Container.CreateSnapshot", S1_STATEFUL);
        send_fails(h, "Container.SendState", ERROR_IN_USE, "delete it first");
        end = client_run_job(h->root, S1, "Snapshot.Delete",
                             g_variant_new_parsed("(@a{sv} {},)"));
        call_assert_ok(end);
        run(h->root, "Container.Stop", "({'force': <true>},)");
        send_fails(h, "Container.SendState", ERROR_INVALID_ARGS, "no saved state");
        harness_free(h);
}

TEST(a_state_comes_in_with_its_ids) {
        Harness *h = new_running(true);
        g_autoptr(Call) end = NULL, again = NULL;
        g_autofree char *log = NULL;

        put_migration_key(h);
        run(h->root, "Container.Stop", "({'force': <true>},)");
        end = receive(h, INDEX("5000000"));
        call_assert_ok(end);
        g_assert_true(is_stateful(h));
        log = harness_read_log(h);
        g_assert_nonnull(strstr(log, "'incoming': <true>"));
        again = receive(h, INDEX("5000000"));
        call_assert_error(again, ERROR_IN_USE, "start it first");
        run(h->root, "Container.Start", "(@a{sv} {},)");
        assert_started_with(h, "uint32 5000000", "/states/c1'>");
        harness_free(h);
}

TEST(a_state_that_is_not_what_it_says_leaves_nothing) {
        static const struct {
                const char *index;
                ErrorCode code;
        } cases[] = {
                { INDEX("0"), ERROR_IN_USE },   { INDEX("1131072"), ERROR_IN_USE },
                { INDEX("4294967295"), ERROR_IN_USE }, { INDEX("x"), ERROR_INVALID_IMAGE },
                { "{'container': <{'name': <'c1'>}>}", ERROR_INVALID_IMAGE },
                { "@a{sv} {}", ERROR_INVALID_IMAGE },
        };
        Harness *h = new_running(true);
        g_autoptr(Call) end = NULL;

        put_migration_key(h);
        g_free(world_make_container(h->root, "c2")); /* has 1131072 */
        run(h->root, "Container.Stop", "({'force': <true>},)");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) refused = receive(h, cases[i].index);

                call_assert_error(refused, cases[i].code, "");
                g_assert_false(is_stateful(h));
        }
        g_assert_cmpuint(harness_count_runs(h, "runtime.sign"), ==, 0);
        harness_plan(h, "runtime.sign", "fail BackendFailed wrong\n");
        end = receive(h, INDEX("5000000"));
        call_assert_error(end, ERROR_BACKEND_FAILED, "wrong");
        g_assert_false(is_stateful(h));
        harness_free(h);
}

TEST(a_snapshot_of_memory_takes_a_privilege) {
        Harness *h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        world_make_image(h);
        allow(h);
        h->polkit->answer = POLKIT_YES;
        g_free(world_make_container(alice, "c1"));
        run(alice, "Container.Start", "(@a{sv} {},)");
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = "org.berth1.use";
        run_fails(alice, "Container.CreateSnapshot", S1_STATEFUL, ERROR_ACCESS_DENIED, "");
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.use-kernel-surface");
        h->polkit->only_yes_to = "org.berth1.use-kernel-surface";
        run(alice, "Container.CreateSnapshot", S1_STATEFUL);
        h->polkit->only_yes_to = "org.berth1.use";
        run_fails(alice, "Container.RestoreSnapshot", S1_STATEFUL, ERROR_ACCESS_DENIED, "");
        run(alice, "Container.RestoreSnapshot", "('s1', @a{sv} {})");
        harness_free(h);
}

HARNESS_MAIN()
