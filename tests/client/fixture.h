/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tests of the clients stand on: a bus of their own with the fake service on it, and ways to
 * run a client there, with pipes or on a terminal.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

typedef struct Fixture {
        char *directory; /* of this test alone; the working directory of clients */
        pid_t bus;
        pid_t service;
        int service_stdin; /* its end is the end of the service */
        bool unprivileged; /* clients run as another user than root */
} Fixture;

/* What a client left. */
typedef struct Run {
        int status; /* exit status, or 128 + signal */
        char *out;
        char *err;
} Run;

/* A client on a terminal. */
typedef struct Tty {
        int master;
        pid_t pid;
        GString *text; /* all that it has written */
        size_t seen;   /* up to here it was expected */
} Tty;

/* Takes away a service, or a bus, that the test is to miss. */
Fixture *fixture_new(void);
Fixture *fixture_new_without_service(void);
void fixture_free(Fixture *f);
/* The calls that the service has got, a line each. */
char *fixture_log(Fixture *f);
void fixture_expect_log(Fixture *f, const char *line);
void fixture_reject_log(Fixture *f, const char *line);
char *fixture_path(Fixture *f, const char *name);
void fixture_write(Fixture *f, const char *name, const char *content);

/* Run `berth`, or `berth-call` where the first word is that, to its end. NULL as input is
 * /dev/null. */
Run *fixture_run(Fixture *f, const char *input, const char *word, ...) G_GNUC_NULL_TERMINATED;
Run *fixture_run_words(Fixture *f, const char *input, const char *const *words);
void run_free(Run *r);
/* Runs, and fails the test if the exit status is another. */
#define RUN(_f, _status, ...) run_check(fixture_run(_f, NULL, __VA_ARGS__, NULL), _status, __LINE__)
Run *run_check(Run *r, int status, int line);
void expect_text(const char *text, const char *part, const char *what, int line);
#define EXPECT_OUT(_r, _part) expect_text((_r)->out, _part, "stdout", __LINE__)
#define EXPECT_ERR(_r, _part) expect_text((_r)->err, _part, "stderr", __LINE__)
/* For a run of which only the exit status matters. */
#define RUN_ONLY(...) run_free(RUN(__VA_ARGS__))

Tty *tty_new(Fixture *f, const char *word, ...) G_GNUC_NULL_TERMINATED;
/* A shell on a terminal, which may run "$TEST_BERTH". */
Tty *tty_new_shell(Fixture *f, const char *script);
void tty_free(Tty *t);
/* Reads until `text` has come, after what was expected before. */
void tty_expect(Tty *t, const char *text);
void tty_send(Tty *t, const char *text);
void tty_resize(Tty *t, unsigned columns, unsigned rows);
/* Reads to the end and returns the exit status. */
int tty_wait(Tty *t);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tty, tty_free)
