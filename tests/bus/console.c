/* SPDX-License-Identifier: Apache-2.0 */

/* Consoles and logs, as the bus sees them. */

#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"

static void start(Client *client) {
        g_autoptr(Call) call = client_run_job(client, C1, "Container.Start",
                                              g_variant_new_parsed("(@a{sv} {},)"));

        call_assert_ok(call);
}

static Call *get_console(Client *client) {
        return client_call(client, C1, "Container.GetConsole",
                           g_variant_new_parsed("({'width': <uint32 77>, 'history': <true>},)"));
}

static char *get_log(Client *client, const char *method) {
        g_autoptr(Call) call = client_call(client, C1, method,
                                           g_variant_new_parsed("(@a{sv} {},)"));
        char *text;

        call_assert_ok(call);
        g_assert_cmpuint(call->fds->len, ==, 1);
        g_assert_cmpint(fd_read_text(g_array_index(call->fds, int, 0), 1U << 20, &text), >=, 0);
        return text;
}

TEST(a_console_is_one_clients_at_a_time) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) stopped = NULL, first = NULL, second = NULL, end = NULL, third = NULL;
        g_autoptr(Call) resize = NULL, kill = NULL;
        g_autofree char *log = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        stopped = get_console(alice);
        call_assert_error(stopped, ERROR_NOT_RUNNING, "c1");
        start(alice);
        harness_plan(h, "console.attach", "set serve yes");
        first = get_console(alice);
        call_assert_ok(first);
        g_assert_cmpuint(first->fds->len, ==, 1);
        g_assert_true(isatty(g_array_index(first->fds, int, 0)));
        second = get_console(alice);
        call_assert_error(second, ERROR_BUSY, "already (job ");
        kill = client_call(alice, call_get_path(first), "Job.Kill",
                           g_variant_new_parsed("(1, @a{sv} {})"));
        call_assert_error(kill, ERROR_NOT_SUPPORTED, "runs no program");
        resize = client_call(alice, call_get_path(first), "Job.Resize",
                             g_variant_new_parsed("(uint32 90, uint32 30, @a{sv} {})"));
        call_assert_ok(resize);
        end = client_wait_job(alice, call_get_path(first));
        call_assert_ok(end);
        log = harness_read_log(h);
        g_assert_nonnull(strstr(log, "told ('resize', "));
        g_assert_nonnull(strstr(log, "'width': <uint32 90>"));
        g_assert_nonnull(strstr(log, "'width': <uint32 77>"));
        g_assert_nonnull(strstr(log, "'history': <true>"));
        third = get_console(alice);
        call_assert_ok(third);
}

TEST(a_console_that_comes_to_nothing_is_an_error) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) failed = NULL, silent = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        start(alice);
        harness_plan(h, "console.attach", "fail Busy Somebody has it");
        failed = get_console(alice);
        call_assert_error(failed, ERROR_BUSY, "Somebody has it");
        harness_plan(h, "console.attach", "set silent yes");
        silent = get_console(alice);
        call_assert_error(silent, ERROR_FAILED, "without a console");
}

TEST(logs_outlive_the_run_and_go_with_the_container) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *none = NULL, *console = NULL, *liblxc = NULL, *big = NULL, *tail = NULL;
        g_autoptr(Call) stop = NULL, delete = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        none = get_log(alice, "Container.GetConsoleLog");
        g_assert_cmpstr(none, ==, "");
        start(alice);
        harness_write_file(h, "run/consoles/c1.log.1", "older, ", strlen("older, "));
        harness_write_file(h, "run/consoles/c1.log", "newer", strlen("newer"));
        harness_write_file(h, "state/logs/c1.log", "of liblxc", strlen("of liblxc"));
        stop = client_run_job(alice, C1, "Container.Stop",
                              g_variant_new_parsed("({'force': <true>},)"));
        call_assert_ok(stop);
        console = get_log(alice, "Container.GetConsoleLog");
        g_assert_cmpstr(console, ==, "older, newer");
        liblxc = get_log(alice, "Container.GetLog");
        g_assert_cmpstr(liblxc, ==, "of liblxc");

        big = g_strnfill(200000, 'x');
        big[199999] = 'y';
        harness_write_file(h, "run/consoles/c1.log", big, 200000);
        tail = get_log(alice, "Container.GetConsoleLog");
        g_assert_cmpuint(strlen(tail), ==, 131072);
        g_assert_true(g_str_has_suffix(tail, "xy"));

        delete = client_run_job(alice, C1, "Container.Delete",
                                g_variant_new_parsed("(@a{sv} {},)"));
        call_assert_ok(delete);
        g_assert_cmpuint(harness_count_entries(h, "run/consoles"), ==, 0);
        g_assert_false(harness_has_file(h, "state/logs/c1.log"));
}

HARNESS_MAIN()
