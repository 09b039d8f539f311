/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tests/client/fixture.h"
#include "tests/unit/test.h"

TEST(the_exit_status_is_the_programs) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "exec", "c1", "true");
        RUN_ONLY(f, 7, "exec", "c1", "--", "sh", "-c", "exit 7");
        RUN_ONLY(f, 127, "exec", "c1", "--", "no-such-program");
        RUN_ONLY(f, 126, "exec", "c1", "--", "/etc/passwd");
        RUN_ONLY(f, 128 + SIGKILL, "exec", "c1", "--", "sh", "-c", "kill -9 $$");
        RUN_ONLY(f, 4, "exec", "nope", "--", "true");
}

TEST(why_it_is_not_executed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = fixture_run(f, NULL, "exec", "c1", "no-such-program", NULL);

        g_assert_cmpint(r->status, ==, 127);
        EXPECT_ERR(r, "Warning: It cannot be executed\n");
}

TEST(streams_go_through) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = NULL;

        r = run_check(fixture_run(f, "input", "exec", "c1", "--", "sh", "-c",
                                  "cat; echo problem >&2", NULL),
                      0, __LINE__);
        g_assert_cmpstr(r->out, ==, "input");
        g_assert_cmpstr(r->err, ==, "problem\n");
}

TEST(no_input_means_none) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = NULL;

        r = run_check(fixture_run(f, "input", "exec", "-n", "c1", "--", "cat", NULL), 0, __LINE__);
        g_assert_cmpstr(r->out, ==, "");
        fixture_reject_log(f, "stdin");
}

TEST(options_end_with_the_program) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "exec", "c1", "--env", "A=b c", "sh", "-c", "echo \"$A\" $0",
                               "--user");

        g_assert_cmpstr(r->out, ==, "b c --user\n");
        RUN_ONLY(f, 0, "exec", "--cwd", "/", "c1", "--user", "1000", "--group=100", "--", "true");
        fixture_expect_log(f, "'cwd': <'/'>");
        fixture_expect_log(f, "'user': <'1000'>");
        fixture_expect_log(f, "'group': <'100'>");
        RUN_ONLY(f, 2, "exec", "c1", "--env", "nonsense", "true");
        RUN_ONLY(f, 2, "exec", "-t", "-T", "c1", "true");
        RUN_ONLY(f, 2, "exec", "--mode", "nonsense", "c1", "true");
}

static int run_shell(const char *script, char **out) {
        const char *argv[] = { "/bin/sh", "-c", script, NULL };
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, out,
                                   NULL, &status, NULL));
        return status;
}

TEST(files_are_copied_and_pipes_are_passed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *in = fixture_path(f, "in"), *out = fixture_path(f, "out");
        g_autofree char *script = NULL, *text = NULL, *none = NULL;

        fixture_write(f, "in", "from a file\n");
        /* The fake, like the service, refuses files and terminals. */
        script = g_strdup_printf("\"$TEST_BERTH\" exec c1 -- cat <%s >%s 2>&1", in, out);
        g_assert_cmpint(run_shell(script, &none), ==, 0);
        g_assert_true(g_file_get_contents(out, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "from a file\n");
}

TEST(a_megabyte_comes_through_whole) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = fixture_path(f, "big"), *script = NULL, *sums = NULL;
        g_auto(GStrv) lines = NULL;

        script = g_strdup_printf("head -c 1048577 /dev/urandom >%s; sha256sum <%s;"
                                 "\"$TEST_BERTH\" exec c1 -- cat <%s >%s.2; sha256sum <%s.2;"
                                 "\"$TEST_BERTH\" exec c1 -- cat <%s | sha256sum",
                                 path, path, path, path, path, path);
        g_assert_cmpint(run_shell(script, &sums), ==, 0);
        lines = g_strsplit(sums, "\n", -1);
        g_assert_cmpint(g_strv_length(lines), ==, 4);
        g_assert_cmpstr(lines[0], ==, lines[1]);
        g_assert_cmpstr(lines[0], ==, lines[2]);
}

TEST(a_child_that_lives_on_holds_nobody_up) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *out = fixture_path(f, "out"), *script = NULL, *none = NULL;
        g_autofree char *text = NULL;

        /* Output to a file goes through a pipe that the child keeps open. */
        script = g_strdup_printf("\"$TEST_BERTH\" exec c1 -- sh -c "
                                 "'echo first; sleep 1000 & echo $!' >%s", out);
        g_assert_cmpint(run_shell(script, &none), ==, 0);
        g_assert_true(g_file_get_contents(out, &text, NULL, NULL));
        g_assert_true(g_str_has_prefix(text, "first\n"));
        g_assert_cmpint(kill((pid_t) g_ascii_strtoll(text + strlen("first\n"), NULL, 10), SIGKILL),
                        ==, 0);
}

/* What the program prints goes past the client, which may not have read yet that it runs: until
 * then a signal is the end of the client alone. */
static void await_handling(const Tty *t, int signal) {
        g_autofree char *path = g_strdup_printf("/proc/%d/status", t->pid);
        gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *status = NULL;
                const char *blocked;

                g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
                blocked = strstr(status, "\nSigBlk:");
                g_assert_nonnull(blocked);
                if (g_ascii_strtoull(blocked + strlen("\nSigBlk:"), NULL, 16) >> (signal - 1) & 1)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, deadline);
                (void) sched_yield();
        }
}

TEST(signals_are_forwarded) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
                /* -T: what it prints is what the test waits for. */
                g_autoptr(Tty) t = NULL;
                g_autofree char *trap = NULL;

                trap = g_strdup_printf("trap 'echo got %d; exit 9' %d; echo ready; "
                                       "sleep 60 <&- >&- 2>&- & wait",
                                       signals[i], signals[i]);
                t = tty_new(f, "exec", "-T", "-n", "c1", "--", "sh", "-c", trap, NULL);
                tty_expect(t, "ready");
                await_handling(t, signals[i]);
                g_assert_cmpint(kill(t->pid, signals[i]), ==, 0);
                tty_expect(t, "got");
                g_assert_cmpint(tty_wait(t), ==, 9);
        }
        fixture_expect_log(f, "Kill (15, {})");
}

TEST(on_a_terminal_the_program_has_one) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = NULL;

        g_assert_true(g_setenv("TERM", "vt52", TRUE));
        t = tty_new(f, "exec", "c1", "--", "sh", "-c", "tty; stty size; echo $TERM; exit 3", NULL);
        tty_expect(t, "/dev/pts/");
        tty_expect(t, "40 100");
        tty_expect(t, "vt52");
        g_assert_cmpint(tty_wait(t), ==, 3);
        fixture_expect_log(f, "ExecTerminal");
        fixture_expect_log(f, "'width': <uint32 100>");
        fixture_expect_log(f, "'height': <uint32 40>");
}

TEST(the_size_of_the_window_follows) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "exec", "c1", "--", "sh", "-c",
                                   "trap 'stty size; exit 0' WINCH; echo ready; "
                                   "sleep 60 <&- >&- 2>&- & wait", NULL);

        tty_expect(t, "ready");
        tty_resize(t, 77, 33);
        tty_expect(t, "33 77");
        g_assert_cmpint(tty_wait(t), ==, 0);
}

TEST(keys_go_to_the_program_not_to_us) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "exec", "c1", "--", "sh", "-c",
                                   "trap 'echo interrupted' INT; echo ready; "
                                   "until read -r line; do :; done; echo got $line; exit 5", NULL);

        tty_expect(t, "ready");
        tty_send(t, "\003");
        tty_expect(t, "interrupted");
        tty_send(t, "word\r");
        tty_expect(t, "got word");
        g_assert_cmpint(tty_wait(t), ==, 5);
}

TEST(a_console_is_left_by_its_keys) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "console", "c1", NULL);

        tty_expect(t, "press: <ctrl>+a q");
        tty_expect(t, "login:");
        /* Of two the second is typed; of one before another key both. */
        tty_send(t, "a\001\001b\r");
        tty_expect(t, "got a^Ab");
        tty_send(t, "c\001dq\r");
        tty_expect(t, "got c^Adq");
        tty_resize(t, 77, 33);
        tty_expect(t, "33 77");
        tty_send(t, "\001");
        tty_send(t, "q");
        g_assert_cmpint(tty_wait(t), ==, 0);
        fixture_expect_log(f, "c1 GetConsole ({'width': <uint32 100>, 'height': <uint32 40>},)");
}

TEST(a_console_ends_with_what_is_on_it) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "start", "--console", "c2", NULL);

        tty_expect(t, "login:");
        tty_send(t, "bye\r");
        tty_expect(t, "got bye");
        g_assert_cmpint(tty_wait(t), ==, 0);
        fixture_expect_log(f, "c2 GetConsole");
        fixture_expect_log(f, "'history': <true>");
}

TEST(logs_are_printed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "console", "c1", "--show-log");
        g_autoptr(Run) info = RUN(f, 0, "info", "c1", "--show-log");
        g_autoptr(Run) vga = RUN(f, 1, "console", "c1", "--type", "vga");
        g_autoptr(Tty) t = NULL;

        /* As it is into a pipe, harmless on a terminal. */
        g_assert_cmpstr(r->out, ==, "first line\r\n\033[2Jsecond line\r\n");
        EXPECT_OUT(info, "\nLog:\n\nwhat liblxc said\n");
        EXPECT_ERR(vga, "no console of type 'vga'");
        t = tty_new(f, "console", "c1", "--show-log", NULL);
        tty_expect(t, "\\x1b[2Jsecond line");
        g_assert_cmpint(tty_wait(t), ==, 0);
}

TEST(a_missing_program_is_127_on_a_terminal_too) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) missing = tty_new(f, "exec", "c1", "--", "no-such-program", NULL);
        g_autoptr(Tty) wrong = NULL;

        tty_expect(missing, "no-such-program");
        g_assert_cmpint(tty_wait(missing), ==, 127);
        wrong = tty_new(f, "exec", "c1", "--", "no-program", NULL);
        tty_expect(wrong, "can't be executed");
        g_assert_cmpint(tty_wait(wrong), ==, 126);
}

/* The line discipline of the terminal is as it was, however the client ends. */
static void expect_cooked(Tty *t) {
        struct termios state;

        g_assert_cmpint(tcgetattr(t->master, &state), ==, 0);
        g_assert_true(state.c_lflag & ICANON);
        g_assert_true(state.c_lflag & ECHO);
}

TEST(the_terminal_is_restored) {
        g_autoptr(Fixture) f = fixture_new();
        /* The shell keeps the terminal open after the client has gone. */
        static const char script[] = "\"$TEST_BERTH\" exec c1 -- sh -c 'echo ready; read -r line'; "
                                     "echo status $?; read -r line";
        g_autoptr(Tty) t = NULL;
        struct termios state;

        t = tty_new_shell(f, script);
        tty_expect(t, "ready");
        g_assert_cmpint(tcgetattr(t->master, &state), ==, 0);
        g_assert_false(state.c_lflag & ICANON);
        tty_send(t, "x\r");
        tty_expect(t, "status 0");
        expect_cooked(t);
        tty_send(t, "\n");
        g_assert_cmpint(tty_wait(t), ==, 0);
}

TEST(the_terminal_is_restored_when_the_service_dies) {
        g_autoptr(Fixture) f = fixture_new();
        static const char script[] = "\"$TEST_BERTH\" exec c1 -- sh -c 'echo ready; read -r line'; "
                                     "echo status $?; read -r line";
        g_autoptr(Tty) t = tty_new_shell(f, script);

        tty_expect(t, "ready");
        g_assert_cmpint(kill(f->service, SIGKILL), ==, 0);
        tty_expect(t, "status 1");
        expect_cooked(t);
        tty_send(t, "\n");
        g_assert_cmpint(tty_wait(t), ==, 0);
}

TEST(a_shell_is_a_login_shell) {
        g_autoptr(Fixture) f = fixture_new();
        /* Nobody says what su does on this host; what counts is what was asked for. */
        g_autoptr(Run) r = fixture_run(f, NULL, "shell", "c1", "--env", "PATH=/nonexistent", NULL);

        g_assert_cmpint(r->status, ==, 127);
        fixture_expect_log(f, "Exec (['su', '-l']");
}

TEST(progress_is_drawn_on_a_terminal_only) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "start", "slow", NULL);

        tty_expect(t, "Waiting for the moon: 50%");
        tty_send(t, "\003");
        tty_expect(t, "Error: The job was cancelled");
        g_assert_cmpint(tty_wait(t), ==, 1);
        fixture_expect_log(f, "Cancel");
}

TEST(quiet_draws_nothing) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "-q", "init", "busybox", "x1", NULL);

        tty_send(t, "");
        g_assert_cmpint(tty_wait(t), ==, 0);
        g_assert_cmpstr(t->text->str, ==, "");
}

TEST(edit_opens_an_editor_and_keeps_what_was_typed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) good = NULL, bad = NULL, unchanged = NULL;
        g_autofree char *kept = NULL, *text = NULL;
        const char *start;

        g_assert_true(g_setenv("TMPDIR", f->directory, TRUE));
        g_unsetenv("VISUAL");
        g_assert_true(g_setenv("EDITOR", "sed -i s/web/mail/", TRUE));
        good = tty_new(f, "config", "edit", "c1", NULL);
        g_assert_cmpint(tty_wait(good), ==, 0);
        fixture_expect_log(f, "Update ({'user.team': 'mail'}, [],");

        g_assert_true(g_setenv("EDITOR", "true", TRUE));
        unchanged = tty_new(f, "config", "edit", "c2", NULL);
        g_assert_cmpint(tty_wait(unchanged), ==, 0);
        fixture_reject_log(f, "c2 Update");

        g_assert_true(g_setenv("EDITOR", "sed -i s/limits.cpu/no.such.key/", TRUE));
        bad = tty_new(f, "config", "edit", "c1", NULL);
        tty_expect(bad, "There is no key 'no.such.key'");
        tty_expect(bad, "Press Enter");
        tty_send(bad, "\n");
        tty_expect(bad, "Press Enter");
        tty_send(bad, "\004");
        tty_expect(bad, "your text is kept in ");
        g_assert_cmpint(tty_wait(bad), ==, 2);
        start = bad->text->str + bad->seen;
        kept = g_strndup(start, strcspn(start, "\r\n"));
        g_assert_true(g_file_get_contents(kept, &text, NULL, NULL));
        g_assert_nonnull(strstr(text, "no.such.key"));
        g_unsetenv("TMPDIR");
}

TEST_MAIN()
