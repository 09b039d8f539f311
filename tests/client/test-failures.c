/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/client/fixture.h"
#include "tests/unit/test.h"

TEST(no_service) {
        g_autoptr(Fixture) f = fixture_new_without_service();
        g_autoptr(Run) list = RUN(f, 1, "list"), start = RUN(f, 1, "start", "c1"), version = NULL;
        g_autoptr(Run) call = RUN(f, 1, "berth-call", "container/c1", "Start"), completion = NULL;

        EXPECT_ERR(list, "Cannot reach the berth service");
        EXPECT_ERR(list, "systemctl start berthd");
        EXPECT_ERR(start, "Cannot reach the berth service");
        EXPECT_ERR(call, "Cannot reach the berth service");
        version = RUN(f, 0, "version");
        EXPECT_OUT(version, "Server version: unreachable\n");
        completion = RUN(f, 0, "--complete", "start", "");
        g_assert_cmpstr(completion->out, ==, "");
        g_assert_cmpstr(completion->err, ==, "");
}

TEST(no_bus) {
        g_autoptr(Fixture) f = fixture_new_without_service();
        g_autoptr(Run) r = NULL;

        g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE));
        r = RUN(f, 1, "list");
        EXPECT_ERR(r, "the system bus");
}

TEST(the_service_goes_away) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 1, "start", "vanish");

        EXPECT_ERR(r, "The berth service went away");
}

TEST(the_bus_goes_away) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "start", "slow", NULL);

        tty_expect(t, "Waiting for the moon");
        g_assert_cmpint(kill(f->bus, SIGKILL), ==, 0);
        tty_expect(t, "Error: ");
        g_assert_cmpint(tty_wait(t), ==, 1);
}

TEST(a_second_interrupt_leaves_the_job) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new(f, "start", "slow", NULL);

        tty_expect(t, "Waiting for the moon");
        /* A service that hangs does not hold its clients. */
        g_assert_cmpint(kill(f->service, SIGSTOP), ==, 0);
        tty_send(t, "\003");
        tty_expect(t, "interrupt again");
        tty_send(t, "\003");
        tty_expect(t, "the job goes on as ");
        g_assert_cmpint(tty_wait(t), ==, 1);
        g_assert_cmpint(kill(f->service, SIGCONT), ==, 0);
}

TEST(denied_is_denied) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 3, "start", "foreign"), show = RUN(f, 3, "config", "show",
                                                                       "foreign");

        EXPECT_ERR(r, "Error: You may not do that to 'foreign'");
        EXPECT_ERR(r, "Hint: polkit decides");
        EXPECT_ERR(show, "Error: You may not do that to 'foreign'");
}

TEST(a_question_is_allowed_only_when_it_is_needed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *log = NULL;
        g_auto(GStrv) calls = NULL;
        g_autoptr(Run) r = NULL;

        RUN_ONLY(f, 0, "start", "guarded");
        log = fixture_log(f);
        calls = g_strsplit(log, "guarded Start", -1);
        /* Once quietly, once with leave to ask. */
        g_assert_cmpint(g_strv_length(calls), ==, 3);
        r = RUN(f, 3, "--no-ask-password", "stop", "guarded");
        EXPECT_ERR(r, "Hint: without --no-ask-password");
        RUN_ONLY(f, 0, "config", "show", "guarded");
}

/* Stands in for polkit's agent: says that it has come, waits until it is told to go, and says that
 * too. */
static void install_agent(Fixture *f) {
        static const char script[] = "#!/bin/sh\n"
                                     "echo \"agent $1\"\n"
                                     "trap 'echo agent ends; exit 0' TERM\n"
                                     "eval \"exec $2>&-\"\n"
                                     "while :; do read -r line <\"$AGENT_FIFO\"; done\n";
        g_autofree char *path = fixture_path(f, "pkttyagent"), *fifo = fixture_path(f, "fifo");
        g_autofree char *search = g_strconcat(f->directory, ":", g_getenv("PATH"), NULL);

        fixture_write(f, "pkttyagent", script);
        g_assert_cmpint(chmod(path, 0755), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0666), ==, 0);
        g_assert_cmpint(chmod(fifo, 0666), ==, 0);
        g_assert_true(g_setenv("AGENT_FIFO", fifo, TRUE));
        g_assert_true(g_setenv("PATH", search, TRUE));
}

TEST(the_agent_comes_when_it_is_needed_and_goes) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) asked = NULL, plain = NULL, never = NULL;

        /* root is never asked. */
        f->unprivileged = true;
        install_agent(f);
        asked = tty_new(f, "start", "guarded", NULL);
        tty_expect(asked, "agent --notify-fd");
        tty_expect(asked, "agent ends");
        g_assert_cmpint(tty_wait(asked), ==, 0);

        plain = tty_new(f, "start", "c2", NULL);
        g_assert_cmpint(tty_wait(plain), ==, 0);
        g_assert_null(strstr(plain->text->str, "agent"));
        never = tty_new(f, "--no-ask-password", "stop", "guarded", NULL);
        g_assert_cmpint(tty_wait(never), ==, 3);
        g_assert_null(strstr(never->text->str, "agent --notify"));
}

TEST(debug_tells_the_calls) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "--debug", "start", "c2");

        EXPECT_ERR(r, "debug: org.berth1.Container.Start /org/berth1/container/c2: done, ");
}

TEST(monitor_tells_what_happens) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) pretty = tty_new(f, "--debug", "monitor", "--pretty", "--type", "lifecycle",
                                        NULL);
        g_autoptr(Tty) json = NULL, yaml = NULL;

        tty_expect(pretty, "subscribed");
        RUN_ONLY(f, 0, "start", "c2");
        tty_expect(pretty, "lifecycle container/c2 started");
        g_assert_null(strstr(pretty->text->str, "job/"));

        json = tty_new(f, "--debug", "monitor", "-f", "json", "--type=job", NULL);
        tty_expect(json, "subscribed");
        RUN_ONLY(f, 1, "start", "broken");
        tty_expect(json, "\"action\":\"finished\",\"source\":\"job/2\"");
        tty_expect(json, "org.berth1.Error.BackendFailed");

        yaml = tty_new(f, "--debug", "monitor", "--type", "object", NULL);
        tty_expect(yaml, "subscribed");
        RUN_ONLY(f, 0, "rm", "-f", "c1");
        tty_expect(yaml, "action: removed");
        tty_expect(yaml, "source: container/c1");
        RUN_ONLY(f, 1, "monitor", "--type", "logging");
        RUN_ONLY(f, 2, "monitor", "--type", "nonsense");
        RUN_ONLY(f, 2, "monitor", "-f", "csv");
}

TEST_MAIN()
