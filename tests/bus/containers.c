/* SPDX-License-Identifier: Apache-2.0 */

/* The life of containers, and what is left of a verb that fails. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"

static GVariant *nothing(void) {
        return g_variant_new("(@a{sv})", no_options());
}

static void run_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, args);

        call_assert_ok(end);
}

static void assert_state(Harness *h, const char *path, const char *expected) {
        g_autofree char *state = client_get_string(h->root, path, "State");

        g_assert_cmpstr(state, ==, expected);
}

/* Events of the signal Lifecycle, in their order, of one object or all (NULL). */
static char *lifecycle(Harness *h, guint from, const char *path) {
        GString *text = g_string_new(NULL);
        const Signal *s;

        while ((s = client_find_signal(h->root, from, path, "Lifecycle"))) {
                const char *event;

                g_variant_get_child(s->body, 0, "&s", &event);
                g_string_append_printf(text, "%s%s", text->len ? " " : "", event);
                from = s->index + 1;
        }
        return g_string_free(text, FALSE);
}

static void wait_for_event(Harness *h, guint from, const char *event) {
        for (;;) {
                g_autofree char *events = lifecycle(h, from, NULL);
                g_auto(GStrv) words = g_strsplit(events, " ", -1);

                if (g_strv_contains((const char *const *) words, event))
                        return;
                harness_step(h, event);
        }
}

/* Nothing of a container is left: object, records, directories, processes. */
static void assert_nothing_left(Harness *h, const char *name) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", name, NULL);
        g_autofree char *volume = g_strconcat("state/mounts/default/containers/", name, NULL);
        g_autofree char *record = g_strconcat("state/containers/", name, NULL);
        g_autofree char *facts = g_strconcat("run/containers/", name, NULL);
        g_autoptr(GVariant) users = client_get(h->root, PATH_POOL, "UsedBy");
        g_autofree char *users_text = g_variant_print(users, FALSE);

        g_assert_false(world_has_object(h, path));
        g_assert_false(harness_has_file(h, volume));
        g_assert_false(harness_has_file(h, record));
        g_assert_false(harness_has_file(h, facts));
        g_assert_null(strstr(users_text, path));
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
}

static void assert_dead(pid_t pid) {
        g_assert_cmpint(kill(pid, 0), ==, -1);
        g_assert_cmpint(errno, ==, ESRCH);
}

/* --- the ordinary life --- */

/* What liblxc's socket is named after. */
TEST(a_start_has_a_place_that_nobody_guesses) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autofree char *log = NULL;
        unsigned n = 0;

        world_make_image(h);
        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *name = g_strdup_printf("c%u", i + 1);

                g_free(world_start_container(h->root, name));
        }
        log = harness_read_log(h);
        for (const char *at = log; (at = strstr(at, "runtime.start {")); n++) {
                const char *path = strstr(at, "/run/lxc/");

                g_assert_nonnull(path);
                path += strlen("/run/lxc/");
                g_assert_cmpuint(strspn(path, "0123456789abcdef"), ==, 32);
                /* Neither half of it comes twice. */
                g_assert_true(g_hash_table_add(seen, g_strndup(path, 16)));
                g_assert_true(g_hash_table_add(seen, g_strndup(path + 16, 16)));
                at = path;
        }
        g_assert_cmpuint(n, ==, 3);
}

/* Its init was there when the worker looked, and has gone when berthd does. */
TEST(last_words_of_one_that_ends_at_once) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) silent = NULL, end = NULL;

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        harness_plan(h, "runtime.start", "set words the disk is on fire");
        end = client_run_job(h->root, C1, "Container.Start", nothing());
        call_assert_error(end, ERROR_BACKEND_FAILED,
                          "the last words on its console are: the disk is on fire");
        assert_state(h, C1, "stopped");
        harness_plan(h, "runtime.start", "set words  ");
        silent = client_run_job(h->root, C1, "Container.Start", nothing());
        call_assert_error(silent, ERROR_BACKEND_FAILED, "without a word");
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
        harness_plan(h, "runtime.start", NULL);
        run_job(h->root, C1, "Container.Start", nothing());
}

TEST(life_cycle) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *events = NULL;
        g_autoptr(GVariant) started = NULL;
        pid_t init;
        guint from;

        world_make_image(h);
        from = h->root->signals->len;
        g_free(world_make_container(alice, "c1"));
        assert_state(h, C1, "stopped");
        g_assert_cmpint(world_get_init(alice, C1), ==, 0);
        run_job(alice, C1, "Container.Start", nothing());
        assert_state(h, C1, "running");
        init = world_get_init(alice, C1);
        g_assert_cmpint(kill(init, 0), ==, 0);
        started = client_get(alice, C1, "LastStarted");
        g_assert_cmpuint(g_variant_get_uint64(started), >, 0);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 1);
        g_assert_true(harness_has_file(h, "run/containers/c1"));
        run_job(alice, C1, "Container.Freeze", nothing());
        assert_state(h, C1, "frozen");
        run_job(alice, C1, "Container.Unfreeze", nothing());
        assert_state(h, C1, "running");
        run_job(alice, C1, "Container.Stop", nothing());
        assert_state(h, C1, "stopped");
        assert_dead(init);
        g_assert_false(harness_has_file(h, "run/containers/c1"));
        run_job(alice, C1, "Container.Delete", nothing());
        assert_nothing_left(h, "c1");
        events = lifecycle(h, from, C1);
        g_assert_cmpstr(events, ==, "created started frozen unfrozen stopped deleted");
}

TEST(states_are_told_in_order) {
        static const char *const expected[] = { "creating", "starting", "running", "stopping",
                                                "stopped" };
        g_autoptr(Harness) h = harness_new();
        guint at = 0;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "gate");
        harness_plan(h, "runtime.start", "gate");
        {
                g_autofree char *job = client_start_job(h->root, PATH_ROOT,
                                                        "Manager.CreateContainer",
                                                        world_create_args("c1",
                                                                          "{'start': <true>}"));
                g_autoptr(Call) end = NULL;

                world_wait_at_gate(h, job);
                harness_open_gate(h, "storage.container-create");
                world_wait_for(h, 0, C1, "State", "starting");
                harness_open_gate(h, "runtime.start");
                end = client_wait_job(h->root, job);
                call_assert_ok(end);
        }
        harness_plan(h, "runtime.start", NULL);
        run_job(h->root, C1, "Container.Stop", nothing());
        world_wait_for(h, 0, C1, "State", "stopped");
        for (guint i = 0; i < h->root->signals->len && at < ELEMENTSOF(expected); i++) {
                g_autoptr(GVariant) value = client_find_value_at(h->root, i, C1, "State");

                if (!value)
                        continue;
                while (at < ELEMENTSOF(expected) &&
                       !g_str_equal(g_variant_get_string(value, NULL), expected[at]))
                        at++;
        }
        g_assert_cmpuint(at, ==, ELEMENTSOF(expected) - 1);
}

TEST(restart_gives_a_new_run) {
        g_autoptr(Harness) h = harness_new();
        pid_t before, after;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        before = world_get_init(h->root, C1);
        run_job(h->root, C1, "Container.Restart", nothing());
        after = world_get_init(h->root, C1);
        assert_dead(before);
        g_assert_cmpint(kill(after, 0), ==, 0);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 1);
}

TEST(rename_moves_everything) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) taken = NULL, running = NULL;
        const Signal *s;

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        g_free(world_make_container(h->root, "c3"));
        taken = client_call(h->root, C1, "Container.Rename",
                            g_variant_new("(s@a{sv})", "c3", no_options()));
        call_assert_error(taken, ERROR_EXISTS, "c3");
        run_job(h->root, C1, "Container.Rename", g_variant_new("(s@a{sv})", "c2", no_options()));
        assert_nothing_left(h, "c1");
        g_assert_true(world_has_object(h, "/org/berth1/container/c2"));
        g_assert_true(harness_has_file(h, "state/containers/c2"));
        g_assert_true(harness_has_file(h, "state/mounts/default/containers/c2"));
        s = client_find_signal(h->root, 0, "/org/berth1/container/c2", "Lifecycle");
        g_assert_nonnull(s);
        run_job(h->root, "/org/berth1/container/c2", "Container.Start", nothing());
        running = client_call(h->root, "/org/berth1/container/c2", "Container.Rename",
                              g_variant_new("(s@a{sv})", "c4", no_options()));
        call_assert_error(running, ERROR_ALREADY_RUNNING, "running");
}

TEST(wrong_states_are_refused) {
        g_autoptr(Harness) h = harness_new();
        static const struct {
                const char *method, *error;
                bool running;
        } cases[] = {
                { "Container.Stop", "org.berth1.Error.NotRunning", false },
                { "Container.Restart", "org.berth1.Error.NotRunning", false },
                { "Container.Freeze", "org.berth1.Error.NotRunning", false },
                { "Container.Unfreeze", "org.berth1.Error.NotRunning", false },
                { "Container.Start", "org.berth1.Error.AlreadyRunning", true },
                { "Container.Delete", "org.berth1.Error.AlreadyRunning", true },
        };

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        g_free(world_start_container(h->root, "c2"));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) call = client_call(
                        h->root, cases[i].running ? "/org/berth1/container/c2" : C1,
                        cases[i].method, nothing());

                g_assert_cmpstr(call->error, ==, cases[i].error);
        }
}

/* --- the end of a run --- */

TEST(shutdown_from_inside) {
        g_autoptr(Harness) h = harness_new();
        guint from;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        from = h->root->signals->len;
        g_assert_cmpint(kill(world_get_init(h->root, C1), SIGPWR), ==, 0);
        wait_for_event(h, from, "shutdown");
        assert_state(h, C1, "stopped");
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 1);
}

TEST(reboot_from_inside) {
        g_autoptr(Harness) h = harness_new();
        pid_t before;
        guint from;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        before = world_get_init(h->root, C1);
        from = h->root->signals->len;
        g_assert_cmpint(kill(before, SIGUSR1), ==, 0);
        wait_for_event(h, from, "started");
        assert_state(h, C1, "running");
        g_assert_cmpint(world_get_init(h->root, C1), !=, before);
}

TEST(ephemeral_goes_when_it_ends) {
        g_autoptr(Harness) h = harness_new();
        guint from;

        world_make_image(h);
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c1", "{'start': <true>, 'ephemeral': <true>}"));
        from = h->root->signals->len;
        g_assert_cmpint(kill(world_get_init(h->root, C1), SIGPWR), ==, 0);
        wait_for_event(h, from, "deleted");
        assert_nothing_left(h, "c1");
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c2", "{'start': <true>, 'ephemeral': <true>}"));
        run_job(h->root, "/org/berth1/container/c2", "Container.Stop", nothing());
        assert_nothing_left(h, "c2");
}

static pid_t find_monitor(Harness *h) {
        g_autofree char *log = harness_read_log(h);
        const char *line = strstr(log, "\npid ");

        g_assert_nonnull(line);
        return (pid_t) g_ascii_strtoll(line + strlen("\npid "), NULL, 10);
}

TEST(monitor_that_dies_first) {
        g_autoptr(Harness) h = harness_new();
        guint from;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        from = h->root->signals->len;
        g_assert_cmpint(kill(find_monitor(h), SIGKILL), ==, 0);
        /* The container does not care. */
        run_job(h->root, C1, "Container.Freeze", nothing());
        run_job(h->root, C1, "Container.Unfreeze", nothing());
        assert_state(h, C1, "running");
        g_assert_cmpint(kill(world_get_init(h->root, C1), SIGKILL), ==, 0);
        wait_for_event(h, from, "shutdown");
        assert_state(h, C1, "stopped");
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
        run_job(h->root, C1, "Container.Start", nothing());
}

TEST(stop_that_is_not_obeyed) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = NULL, cancelled = NULL, waiting = NULL;
        g_autofree char *job = NULL;
        pid_t init;

        world_make_image(h);
        harness_plan(h, "runtime.start", "set deaf yes");
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        end = client_run_job(h->root, C1, "Container.Stop",
                             g_variant_new("(@a{sv})", options("{'timeout': <uint64 1000>}")));
        call_assert_error(end, ERROR_TIMED_OUT, "force");
        assert_state(h, C1, "running");

        job = client_start_job(h->root, C1, "Container.Stop", nothing());
        world_wait_for(h, 0, job, "Stage", "Stopping the container");
        cancelled = client_call(h->root, job, "Job.Cancel", nothing());
        call_assert_ok(cancelled);
        waiting = client_wait_job(h->root, job);
        call_assert_error(waiting, ERROR_CANCELLED, NULL);
        assert_state(h, C1, "running");
        g_assert_cmpint(kill(init, 0), ==, 0);

        run_job(h->root, C1, "Container.Stop",
                g_variant_new("(@a{sv})", options("{'force': <true>}")));
        assert_state(h, C1, "stopped");
        assert_dead(init);
}

TEST(delete_with_force) {
        g_autoptr(Harness) h = harness_new();
        pid_t init;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        run_job(h->root, C1, "Container.Delete",
                g_variant_new("(@a{sv})", options("{'force': <true>}")));
        assert_nothing_left(h, "c1");
        assert_dead(init);
}

/* A container whose init stopped after a stop with a time-out was frozen before: thawed it is. */
TEST(stop_thaws) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = NULL;

        world_make_image(h);
        harness_plan(h, "runtime.start", "set deaf yes");
        g_free(world_start_container(h->root, "c1"));
        run_job(h->root, C1, "Container.Freeze", nothing());
        end = client_run_job(h->root, C1, "Container.Stop",
                             g_variant_new("(@a{sv})", options("{'timeout': <uint64 1000>}")));
        call_assert_error(end, ERROR_TIMED_OUT, NULL);
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        assert_state(h, C1, "running");
        harness_kill_service(h);
        harness_start_service(h, NULL);
        assert_state(h, C1, "running");
}

/* --- creation that fails --- */

TEST(failed_creation_leaves_nothing) {
        static const struct {
                const char *operation, *plan, *options;
        } cases[] = {
                { "storage.container-create", "fail NoSpace Full", "{}" },
                { "storage.container-create", "die 9", "{}" },
                { "storage.container-create", "lie", "{}" },
                { "runtime.start", "fail BackendFailed No", "{'start': <true>}" },
                { "runtime.start", "die 9", "{'start': <true>}" },
                { "runtime.start", "lie", "{'start': <true>}" },
                { "runtime.start", "fds 1", "{'start': <true>}" },
                { "runtime.start", "set base 5", "{'start': <true>}" },
                { "runtime.start", "set init 1", "{'start': <true>}" },
                { "runtime.start", "set init 4000000", "{'start': <true>}" },
                { "runtime.start", "set monitor-pid 2", "{'start': <true>}" },
        };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        unsigned fds;

        world_make_image(h);
        fds = harness_count_fds(h);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) end = NULL;

                harness_plan(h, cases[i].operation, cases[i].plan);
                end = client_run_job(alice, PATH_ROOT, "Manager.CreateContainer",
                                     world_create_args("c1", cases[i].options));
                if (!end->error)
                        g_error("\"%s\" of %s went unnoticed", cases[i].plan, cases[i].operation);
                assert_nothing_left(h, "c1");
                harness_plan(h, cases[i].operation, NULL);
        }
        g_assert_cmpuint(harness_count_fds(h), ==, fds);
        g_free(world_start_container(alice, "c1"));
}

TEST(failed_start_leaves_a_stopped_container) {
        static const char *const plans[] = { "fail BackendFailed No", "die 9", "lie", "fds 1",
                                             "set base 5", "set monitor-pid 2" };
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        for (size_t i = 0; i < ELEMENTSOF(plans); i++) {
                g_autoptr(Call) end = NULL;

                harness_plan(h, "runtime.start", plans[i]);
                end = client_run_job(h->root, C1, "Container.Start", nothing());
                g_assert_nonnull(end->error);
                assert_state(h, C1, "stopped");
                g_assert_cmpint(world_get_init(h->root, C1), ==, 0);
                g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
                g_assert_false(harness_has_file(h, "run/containers/c1"));
                harness_plan(h, "runtime.start", NULL);
        }
        run_job(h->root, C1, "Container.Start", nothing());
}

TEST(one_name_for_one_container) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *job = NULL;
        g_autoptr(Call) second = NULL, end = NULL, cancelled = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "gate");
        job = client_start_job(alice, PATH_ROOT, "Manager.CreateContainer",
                               world_create_args("c1", "{}"));
        second = client_call(bob, PATH_ROOT, "Manager.CreateContainer",
                             world_create_args("c1", "{}"));
        call_assert_error(second, ERROR_EXISTS, "c1");
        world_wait_at_gate(h, job);
        cancelled = client_call(alice, job, "Job.Cancel", nothing());
        call_assert_ok(cancelled);
        end = client_wait_job(alice, job);
        call_assert_error(end, ERROR_CANCELLED, NULL);
        harness_plan(h, "storage.container-create", NULL);
        g_free(world_make_container(bob, "c1"));
}

TEST(names_are_made_up) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = NULL, second = NULL;
        const char *a, *b;

        world_make_image(h);
        first = client_call(h->root, PATH_ROOT, "Manager.CreateContainer",
                            world_create_args("", "{}"));
        second = client_call(h->root, PATH_ROOT, "Manager.CreateContainer",
                             world_create_args("", "{}"));
        call_assert_ok(first);
        call_assert_ok(second);
        g_variant_get_child(first->body, 1, "&o", &a);
        g_variant_get_child(second->body, 1, "&o", &b);
        g_assert_cmpstr(a, !=, b);
}

/* Each container has ids that no other has. */
TEST(id_ranges_do_not_overlap) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *log = NULL;

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        g_free(world_make_container(h->root, "c2"));
        run_job(h->root, C1, "Container.Delete", nothing());
        g_free(world_make_container(h->root, "c3"));
        log = harness_read_log(h);
        g_assert_nonnull(strstr(log, "'idmap': <[('u', uint32 0, uint32 1065536, uint32 65536)"));
        g_assert_nonnull(strstr(log, "'idmap': <[('u', uint32 0, uint32 1131072, uint32 65536)"));
        g_assert_null(strstr(log, "uint32 1196608"));
}

/* --- images --- */

/* The same archive twice at once: one image, one error, no harm. */
TEST(imports_of_one_archive_at_once) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        _cleanup_close_ int a = world_new_archive("same"), b = world_new_archive("same");
        g_autoptr(Call) first = NULL, second = NULL, first_end = NULL, second_end = NULL;
        g_autoptr(GArray) workers = NULL;

        world_make_pool(h);
        harness_plan(h, "image.import", "gate");
        first = call_wait(alice, client_begin_fds(alice, PATH_ROOT, "Manager.ImportImage",
                                                  g_variant_new_parsed("(handle 0, @a{sv} {})"),
                                                  &a));
        second = call_wait(bob, client_begin_fds(bob, PATH_ROOT, "Manager.ImportImage",
                                                 g_variant_new_parsed("(handle 0, @a{sv} {})"),
                                                 &b));
        world_wait_at_gate(h, call_get_path(first));
        world_wait_at_gate(h, call_get_path(second));
        /* Both workers have ended before berthd hears of either. */
        g_assert_cmpint(kill(h->service_pid, SIGSTOP), ==, 0);
        workers = harness_open_workers(h);
        g_assert_cmpuint(workers->len, ==, 2);
        harness_open_gate(h, "image.import");
        harness_wait_for_workers(workers);
        g_assert_cmpint(kill(h->service_pid, SIGCONT), ==, 0);
        first_end = client_wait_job(alice, call_get_path(first));
        second_end = client_wait_job(bob, call_get_path(second));
        g_assert_true(!first_end->error != !second_end->error);
        call_assert_error(first_end->error ? first_end : second_end, ERROR_EXISTS, "already");
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "state/images"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "state/mounts/default/images"), ==, 1);
}

TEST(image_in_use_by_a_creation_stays) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *job = NULL, *image = NULL;
        g_autoptr(Call) busy = NULL, end = NULL, found = NULL;

        world_make_image(h);
        found = client_call(h->root, PATH_ROOT, "Manager.GetImage", g_variant_new("(s)", "fake"));
        image = g_strdup(call_get_path(found));
        harness_plan(h, "storage.container-create", "gate");
        job = client_start_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                               world_create_args("c1", "{}"));
        world_wait_at_gate(h, job);
        busy = client_call(h->root, image, "Image.Delete", nothing());
        call_assert_error(busy, ERROR_BUSY, "c1");
        harness_open_gate(h, "storage.container-create");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        run_job(h->root, image, "Image.Delete", nothing());
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 0);
        g_assert_true(world_has_object(h, C1));
}

/* --- waiting for it --- */

TEST(waits_end_when_it_is_so) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) stopped = NULL, up = NULL, late = NULL, gone = NULL, odd = NULL;
        g_autofree char *wait_stop = NULL, *wait_ip = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        stopped = client_run_job(alice, C1, "Container.WaitFor",
                                 g_variant_new_parsed("('running', @a{sv} {})"));
        call_assert_error(stopped, ERROR_NOT_RUNNING, "has stopped");
        odd = client_call(alice, C1, "Container.WaitFor",
                          g_variant_new_parsed("('rich', @a{sv} {})"));
        call_assert_error(odd, ERROR_INVALID_ARGS, "rich");
        run_job(alice, C1, "Container.Start", nothing());
        up = client_run_job(alice, C1, "Container.WaitFor",
                            g_variant_new_parsed("('running', @a{sv} {})"));
        call_assert_ok(up);
        late = client_run_job(alice, C1, "Container.WaitFor",
                              g_variant_new_parsed("('ip', {'timeout': <uint64 1000>})"));
        call_assert_error(late, ERROR_TIMED_OUT, "in time");
        wait_stop = client_start_job(alice, C1, "Container.WaitFor",
                                     g_variant_new_parsed("('stopped', @a{sv} {})"));
        wait_ip = client_start_job(alice, C1, "Container.WaitFor",
                                   g_variant_new_parsed("('ip', @a{sv} {})"));
        run_job(alice, C1, "Container.Stop", g_variant_new_parsed("({'force': <true>},)"));
        g_clear_pointer(&up, call_free);
        up = client_wait_job(alice, wait_stop);
        call_assert_ok(up);
        gone = client_wait_job(alice, wait_ip);
        call_assert_error(gone, ERROR_NOT_RUNNING, "has stopped");
}

/* What the program that asks init says by its exit status. */
TEST(waits_until_all_is_started) {
        static const struct {
                const char *status;
                const char *warning; /* NULL: it fails */
        } ends[] = {
                { "0", "" }, { "21", "not all" }, { "22", NULL }, { "23", "cloud-init" },
                { "20", "" }, { "127", "" }, { "1", NULL }, { "137", NULL },
        };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) early = NULL, late = NULL, gone = NULL, cancel = NULL;
        g_autofree char *wait = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        early = client_run_job(alice, C1, "Container.WaitUntilReady", nothing());
        call_assert_error(early, ERROR_NOT_RUNNING, "has stopped");
        run_job(alice, C1, "Container.Start", nothing());
        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                g_autofree char *plan = g_strconcat("set status ", ends[i].status, NULL);
                g_autofree char *path = NULL, *text = NULL;
                g_autoptr(GVariant) warnings = NULL;
                g_autoptr(Call) end = NULL;

                harness_plan(h, "runtime.exec", plan);
                path = client_start_job(alice, C1, "Container.WaitUntilReady", nothing());
                end = client_wait_job(alice, path);
                if (!ends[i].warning)
                        call_assert_error(end, ERROR_FAILED, "c1");
                else {
                        call_assert_ok(end);
                        warnings = client_get(alice, path, "Warnings");
                        g_assert_cmpuint(g_variant_n_children(warnings), ==,
                                         *ends[i].warning ? 1 : 0);
                        text = g_variant_print(warnings, FALSE);
                        g_assert_nonnull(strstr(text, ends[i].warning));
                }
        }
        harness_plan(h, "runtime.exec", "set serve yes");
        late = client_run_job(alice, C1, "Container.WaitUntilReady",
                              g_variant_new_parsed("({'timeout': <uint64 1000>},)"));
        call_assert_error(late, ERROR_TIMED_OUT, "\"ready\" in time");
        wait = client_start_job(alice, C1, "Container.WaitUntilReady", nothing());
        cancel = client_call(alice, wait, "Job.Cancel", nothing());
        call_assert_ok(cancel);
        gone = client_wait_job(alice, wait);
        call_assert_error(gone, ERROR_CANCELLED, "");
}

HARNESS_MAIN()
