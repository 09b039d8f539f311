/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes up with the host, in which order; what goes down with it, and is remembered; what is
 * started again when it ends by itself.
 */

#include <signal.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

static void set(Harness *h, const char *container, const char *key, const char *value) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", container, NULL);
        g_autoptr(Call) call = client_call(h->root, path, "Container.Update",
                                           g_variant_new_parsed("({%s: %s}, @as [], @a{sv} {})",
                                                                key, value));

        call_assert_ok(call);
}

/* As if the host had been started anew: nothing that is below /run is left, and nobody runs. */
static void reboot_host(Harness *h) {
        g_autofree char *run = g_build_filename("run", "boot", NULL);

        harness_kill_service(h);
        harness_remove_tree(h, run);
}

static bool is_in_state(Harness *h, const char *container, const char *state) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", container, NULL);
        g_autofree char *now = client_get_string(h->root, path, "State");

        return g_strcmp0(now, state) == 0;
}

/* Names of containers in the order in which the workers started them, from that many on. */
static char *started(Harness *h, unsigned from) {
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
        GString *names = g_string_new(NULL);
        unsigned n = 0;

        for (char **line = lines; *line; line++) {
                const char *name = strstr(*line, "'name': <'");
                g_autofree char *word = NULL;

                if (!g_str_has_prefix(*line, "runtime.start") || !name || n++ < from)
                        continue;
                name += strlen("'name': <'");
                word = g_strndup(name, strcspn(name, "'"));
                g_string_append_printf(names, "%s%s", names->len > 0 ? " " : "", word);
        }
        return g_string_free(names, FALSE);
}

static Harness *stage(const char *names) {
        Harness *h = harness_new();
        g_auto(GStrv) list = g_strsplit(names, " ", -1);

        world_make_image(h);
        for (char **name = list; *name; name++)
                g_free(world_make_container(h->root, *name));
        return h;
}

TEST(order) {
        g_autoptr(Harness) h = stage("web db cache extra never");
        g_autofree char *order = NULL;

        set(h, "web", "boot.autostart", "true");
        set(h, "web", "boot.autostart.priority", "10");
        set(h, "web", "boot.after", "db,cache,gone");
        set(h, "db", "boot.autostart", "true");
        set(h, "cache", "boot.autostart", "true");
        set(h, "cache", "boot.autostart.priority", "5");
        set(h, "extra", "boot.autostart", "true");
        set(h, "extra", "boot.autostart.priority", "1");
        set(h, "never", "boot.autostart", "false");
        reboot_host(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, is_in_state(h, "web", "running") && is_in_state(h, "extra", "running") &&
                                is_in_state(h, "db", "running"));
        order = started(h, 0);
        g_assert_cmpstr(order, ==, "cache extra db web");
        g_assert_true(is_in_state(h, "never", "stopped"));
}

TEST(a_circle_starts_all_the_same) {
        g_autoptr(Harness) h = stage("a b");

        set(h, "a", "boot.autostart", "true");
        set(h, "b", "boot.autostart", "true");
        set(h, "a", "boot.after", "b");
        set(h, "b", "boot.after", "a");
        reboot_host(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, is_in_state(h, "a", "running") && is_in_state(h, "b", "running"));
}

TEST(one_that_fails_keeps_nobody_back) {
        g_autoptr(Harness) h = stage("a b");

        set(h, "a", "boot.autostart", "true");
        set(h, "a", "boot.autostart.priority", "5");
        set(h, "a", "limits.cpu", "8000-8001"); /* of which no host has any */
        set(h, "b", "boot.autostart", "true");
        set(h, "b", "boot.after", "a");
        reboot_host(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, is_in_state(h, "b", "running"));
        g_assert_true(is_in_state(h, "a", "stopped"));
}

TEST(a_restart_of_the_service_is_no_boot) {
        g_autoptr(Harness) h = stage("a");

        set(h, "a", "boot.autostart", "true");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 0);
        g_assert_true(is_in_state(h, "a", "stopped"));
}

static void run(Harness *h, const char *path, const char *method, const char *args) {
        g_autoptr(Call) call = client_run_job(h->root, path, method, g_variant_new_parsed(args));

        call_assert_ok(call);
}

/* Without boot.autostart it is as it was when the host went down. */
TEST(what_ran_comes_back) {
        g_autoptr(Harness) h = stage("a b c");
        g_autofree char *order = NULL;

        run(h, "/org/berth1/container/a", "Container.Start", "(@a{sv} {},)");
        run(h, "/org/berth1/container/b", "Container.Start", "(@a{sv} {},)");
        run(h, "/org/berth1/container/b", "Container.Stop", "({'force': <true>},)");
        run(h, "/org/berth1/container/c", "Container.Start", "(@a{sv} {},)");
        set(h, "c", "boot.autostart", "false");
        run(h, PATH_ROOT, "Manager.Shutdown", "(@a{sv} {},)");
        g_assert_true(is_in_state(h, "a", "stopped"));
        g_assert_true(is_in_state(h, "c", "stopped"));
        reboot_host(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, is_in_state(h, "a", "running"));
        order = started(h, 3);
        g_assert_cmpstr(order, ==, "a");
}

/* The order in which containers went to "stopping". */
TEST(they_go_down_by_priority) {
        g_autoptr(Harness) h = stage("a b");
        guint first = 0, second = 0;

        set(h, "b", "boot.stop.priority", "9");
        run(h, "/org/berth1/container/a", "Container.Start", "(@a{sv} {},)");
        run(h, "/org/berth1/container/b", "Container.Start", "(@a{sv} {},)");
        run(h, PATH_ROOT, "Manager.Shutdown", "(@a{sv} {},)");
        HARNESS_WAIT(h, client_heard_value(h->root, 0, "/org/berth1/container/a", "State",
                                           "stopped"));
        for (guint i = 0; i < h->root->signals->len; i++) {
                const Signal *signal = g_ptr_array_index(h->root->signals, i);
                g_autoptr(GVariant) value = client_find_value_at(h->root, i, signal->path, "State");

                if (!value || !g_str_equal(g_variant_get_string(value, NULL), "stopped"))
                        continue;
                if (g_str_has_suffix(signal->path, "/b"))
                        first = i;
                else
                        second = i;
        }
        g_assert_cmpuint(first, <, second);
}

/* A process that is stopped dies of SIGKILL alone. */
TEST(they_are_given_as_long_as_the_caller_says) {
        static const char *const options[] = { "({'force': <true>},)",
                                               "({'timeout': <uint64 100000>},)" };
        g_autoptr(Harness) h = stage("a");

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                run(h, "/org/berth1/container/a", "Container.Start", "(@a{sv} {},)");
                g_assert_cmpint(kill(world_get_init(h->root, "/org/berth1/container/a"), SIGSTOP),
                                ==, 0);
                run(h, PATH_ROOT, "Manager.Shutdown", options[i]);
                HARNESS_WAIT(h, is_in_state(h, "a", "stopped"));
        }
}

TEST(one_that_ends_by_itself_is_started_again) {
        g_autoptr(Harness) h = stage("a b");
        pid_t a, b;

        set(h, "a", "boot.autorestart", "true");
        run(h, "/org/berth1/container/a", "Container.Start", "(@a{sv} {},)");
        run(h, "/org/berth1/container/b", "Container.Start", "(@a{sv} {},)");
        a = world_get_init(h->root, "/org/berth1/container/a");
        b = world_get_init(h->root, "/org/berth1/container/b");
        g_assert_cmpint(kill(b, SIGKILL), ==, 0);
        HARNESS_WAIT(h, is_in_state(h, "b", "stopped"));
        g_assert_cmpint(kill(a, SIGKILL), ==, 0);
        HARNESS_WAIT(h, is_in_state(h, "a", "stopped"));
        HARNESS_WAIT(h, is_in_state(h, "a", "running"));
        g_assert_true(is_in_state(h, "b", "stopped"));
        /* Whoever stops it means it. */
        run(h, "/org/berth1/container/a", "Container.Stop", "({'force': <true>},)");
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 3);
}

TEST(a_protected_container_is_not_deleted) {
        g_autoptr(Harness) h = stage("a");
        g_autoptr(Call) call = NULL;

        set(h, "a", "security.protection.delete", "true");
        call = client_run_job(h->root, "/org/berth1/container/a", "Container.Delete",
                              g_variant_new_parsed("({'force': <true>},)"));
        call_assert_error(call, ERROR_IN_USE, "protection");
        set(h, "a", "security.protection.delete", "false");
        run(h, "/org/berth1/container/a", "Container.Delete", "(@a{sv} {},)");
}

HARNESS_MAIN()
