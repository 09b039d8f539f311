/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/client/fixture.h"
#include "tests/unit/test.h"

/*
 * `berth migrate` from both of its ends, which the fake service serves alike: what is asked of it
 * for each, in which order, and what is undone when one of them fails or is not heard of any more.
 */

/* A frame that says "1", as octal numbers of printf(1). */
#define HELLO "HELO\\000\\000\\000\\0011"

/* "1 running c1", which nobody is to be interrupted in. */
#define HEAR_HELLO "head -c 20 >/dev/null"

/* The calls that the service has got are among these, in this order. */
static void expect_order(Fixture *f, const char *const *lines) {
        g_autofree char *log = fixture_log(f);
        const char *at = log;

        for (; *lines; lines++) {
                at = strstr(at, *lines);
                if (!at)
                        g_error("'%s' is not there, or comes too early:\n%s", *lines, log);
                at += strlen(*lines);
        }
}

#define EXPECT_ORDER(_f, ...) expect_order(_f, (const char *const[]) { __VA_ARGS__, NULL })

static void expect_containers(Fixture *f, const char *there, const char *not_there) {
        g_autoptr(Run) list = RUN(f, 0, "list", "-f", "csv", "-c", "ns");

        EXPECT_OUT(list, there);
        if (strstr(list->out, not_there))
                g_error("'%s' is among:\n%s", not_there, list->out);
}

/* To the same service, under another name. */
#define SEND_AS(_f, _status, _name, _other) \
        RUN(_f, _status, "migrate", "send", _name, "--", getenv("TEST_BERTH"), "migrate", \
            "receive", _other)
#define SEND_TO_SHELL(_f, _status, _name, _script) \
        RUN(_f, _status, "migrate", "send", _name, "--", "sh", "-c", _script)

TEST(what_runs_goes_on_at_the_other_side) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) sent = SEND_AS(f, 0, "c1", "there");

        EXPECT_ERR(sent, "Container 'c1' stood still for no longer than");
        /* Whether it can be sent is asked while it runs. */
        EXPECT_ORDER(f, "c1 SendState", "c1 Stop ({'stateful': <true>},)", "c1 Export",
                     "'compression': <'none'>", "c1 SendState");
        EXPECT_ORDER(f, "GetAll", "ImportContainer", "'there', {})", "there ReceiveState",
                     "there Start ({},)");
        /* Never is it in both places. */
        EXPECT_ORDER(f, "c1 Stop", "there Start", "c1 Delete ({},)");
        fixture_reject_log(f, "c1 Start");
        expect_containers(f, "there,RUNNING", "c1");
}

TEST(what_is_stopped_stays_so) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "migrate", "send", "--instance-only", "c2", "--", getenv("TEST_BERTH"),
                 "migrate", "receive", "--storage", "fast", "there");
        EXPECT_ORDER(f, "ImportContainer", "'there', {'pool': <'fast'>}");
        EXPECT_ORDER(f, "c2 Export", "'without-snapshots': <true>", "c2 Delete");
        fixture_reject_log(f, "State (");
        fixture_reject_log(f, "Start");
        fixture_reject_log(f, "Stop");
        expect_containers(f, "there,STOPPED", "c2");
}

TEST(what_is_saved_goes_with_its_state) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "stop", "--stateful", "c1");
        run_free(SEND_AS(f, 0, "c1", "there"));
        EXPECT_ORDER(f, "c1 Export", "c1 SendState", "c1 Delete");
        EXPECT_ORDER(f, "ImportContainer", "there ReceiveState");
        fixture_reject_log(f, "Start");
        expect_containers(f, "there,STOPPED", "c1");
}

TEST(nothing_is_stopped_for_a_name_that_is_taken) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) sent = SEND_AS(f, 1, "c1", "c2");

        EXPECT_ERR(sent, "The other side: There is a container 'c2' here already");
        fixture_reject_log(f, "Stop");
        fixture_reject_log(f, "Export");
        fixture_reject_log(f, "Import");
        fixture_reject_log(f, "Delete");
}

TEST(nothing_is_asked_of_the_other_side_for_what_cannot_be_sent) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "launch", "busybox", "chained");
        g_autoptr(Run) sent = SEND_AS(f, 1, "chained", "there");
        EXPECT_ERR(sent, "It has an interface on a bridge");
        fixture_reject_log(f, "Stop");
        fixture_reject_log(f, "Import");
}

TEST(what_cannot_be_saved_runs_on) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "launch", "busybox", "stuck");
        g_autoptr(Run) sent = SEND_AS(f, 1, "stuck", "there");
        EXPECT_ERR(sent, "CRIU: a file is locked");
        fixture_reject_log(f, "Export");
        fixture_reject_log(f, "stuck Start");
        fixture_reject_log(f, "stuck Delete");
        expect_containers(f, "stuck,RUNNING", "there");
}

TEST(it_goes_on_where_the_other_side_cannot_take_it_in) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) files = SEND_AS(f, 1, "c1", "unreadable"), state = NULL;

        EXPECT_ERR(files, "Container 'c1' goes on here: The other side: The archive cannot be "
                          "read");
        EXPECT_ORDER(f, "c1 Export", "c1 Start");
        fixture_reject_log(f, "ReceiveState");
        expect_containers(f, "c1,RUNNING", "unreadable");
        state = SEND_AS(f, 1, "c1", "unsealed");
        EXPECT_ERR(state, "Container 'c1' goes on here: The other side: The seal is another "
                          "host's");
        EXPECT_ORDER(f, "unsealed ReceiveState", "unsealed Delete");
        EXPECT_ORDER(f, "c1 Start", "c1 Export", "c1 Start");
        fixture_reject_log(f, "c1 Delete");
        expect_containers(f, "c1,RUNNING", "unsealed");
}

TEST(it_goes_on_here_when_it_is_no_more_at_the_other_side) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "delete", "broken");
        g_autoptr(Run) sent = SEND_AS(f, 1, "c1", "broken");
        EXPECT_ERR(sent, "Container 'c1' goes on here: The other side: Container 'broken' does "
                         "not start");
        EXPECT_ORDER(f, "broken Start", "broken Delete", "c1 Start");
        fixture_reject_log(f, "c1 Delete");
        expect_containers(f, "c1,RUNNING", "broken");
}

/* Its start had begun when it was lost sight of. */
TEST(nobody_starts_what_may_run_at_the_other_side) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "delete", "vanish");
        g_autoptr(Run) sent = SEND_AS(f, 1, "c1", "vanish");
        EXPECT_ERR(sent, "It is not known whether container 'c1' runs at the other side");
        EXPECT_ERR(sent, "'berth start c1'");
        EXPECT_ORDER(f, "c1 Stop", "vanish Start");
        fixture_reject_log(f, "c1 Start");
        fixture_reject_log(f, "c1 Delete");
}

/* What it has read by then: HELO, an archive and a state of a line in two frames each, and GOES. */
TEST(nor_when_the_other_side_says_nothing_any_more) {
        g_autoptr(Fixture) f = fixture_new();
        size_t n = strlen("HELO....1 running c1" "CONT....archive of c1\n" "CONT...."
                          "STAT....state of c1\n" "STAT...." "GOES....");
        g_autofree char *script = g_strdup_printf(
                "printf '" HELLO "REDY\\000\\000\\000\\000'; head -c %zu >/dev/null", n);
        g_autoptr(Run) sent = SEND_TO_SHELL(f, 1, "c1", script);

        EXPECT_ERR(sent, "It is not known whether container 'c1' runs at the other side");
        fixture_reject_log(f, "c1 Start");
        fixture_reject_log(f, "c1 Delete");
}

TEST(it_goes_on_when_the_other_side_is_gone_before) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) silent = SEND_TO_SHELL(f, 1, "c1", HEAR_HELLO);
        g_autoptr(Run) other = NULL, gone = NULL;

        EXPECT_ERR(silent, "The other side has gone");
        other = SEND_TO_SHELL(f, 1, "c1", HEAR_HELLO "; echo Welcome to this host");
        EXPECT_ERR(other, "does not speak as 'berth migrate' does");
        fixture_reject_log(f, "Stop");
        gone = SEND_TO_SHELL(f, 1, "c1", "printf '" HELLO "'; head -c 30 >/dev/null");
        EXPECT_ERR(gone, "Container 'c1' goes on here");
        EXPECT_ORDER(f, "c1 Stop", "c1 Start");
        fixture_reject_log(f, "c1 Delete");
        expect_containers(f, "c1,RUNNING", "there");
}

/* All of the archive has come, but not that this is all. */
TEST(what_has_come_without_an_end_is_deleted) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) t = tty_new_shell(
                f, "printf 'HELO\\000\\000\\000\\0141 running c1CONT\\000\\000\\000\\016"
                   "archive of c1\\n' | \"$TEST_BERTH\" migrate receive there >answer; "
                   "echo status $?");

        tty_expect(t, "The other side has gone");
        tty_expect(t, "status 1");
        g_assert_cmpint(tty_wait(t), ==, 0);
        EXPECT_ORDER(f, "ImportContainer", "there Delete");
        fixture_reject_log(f, "Start");
        expect_containers(f, "c1,RUNNING", "there");
}

TEST_MAIN()
