/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The denial matrix: every method of the contract, by every kind of caller, with every answer of
 * polkit's. What is to become of each is in tests/bus/denials, and nowhere else; what is in the
 * service's own tables is not looked at. Runs in the same program as authorization.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/bus/bus.h"
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"
#include "tests/bus/authorization.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

static unsigned n_cells;

/* The lines of the file that begin with `kind`, split into words. */
static GPtrArray *read_rows(const char *kind) {
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify) g_strfreev);

        g_assert_true(g_file_get_contents(SOURCE_ROOT "/tests/bus/denials", &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) words = g_regex_split_simple(" +", *line, 0, 0);

                if (words[0] && g_str_equal(words[0], kind))
                        g_ptr_array_add(rows, TAKE_PTR(words));
        }
        return rows;
}

/* The row of that kind whose first word is `name`, or NULL. Never freed before the test ends. */
static char **row_of(const char *kind, const char *name) {
        static GHashTable *kinds;
        GPtrArray *rows;

        if (!kinds)
                kinds = g_hash_table_new(g_str_hash, g_str_equal);
        rows = g_hash_table_lookup(kinds, kind);
        if (!rows) {
                rows = read_rows(kind);
                g_hash_table_insert(kinds, (gpointer) kind, rows);
        }
        for (guint i = 0; i < rows->len; i++) {
                char **row = g_ptr_array_index(rows, i);

                if (g_str_equal(row[1], name))
                        return row;
        }
        return NULL;
}

/* The action that polkit is to be asked for, NULL where it is not. */
static const char *action_of(size_t i, bool owner) {
        char **row = row_of("method", stage_get_method(i));
        const char *action;

        if (!row)
                g_error("tests/bus/denials has no row for %s", stage_get_method(i));
        action = row[owner && stage_is_alices(i) ? 2 : 3];
        return g_str_equal(action, "-") ? NULL : action;
}

static const char *result_of(const char *answer) {
        char **row = row_of("answer", answer);

        g_assert_nonnull(row);
        return row[2];
}

static const char *result_of_call(const Call *call) {
        if (!call->error)
                return "done";
        if (g_str_equal(call->error, "org.freedesktop.DBus.Error.AccessDenied"))
                return "denied";
        if (g_str_equal(call->error,
                        "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"))
                return "asks";
        /* Past authorization: the stage has nothing for it. */
        return "done";
}

static void check_cell(size_t i, const char *caller, const char *answer, const Call *call) {
        const char *expected = result_of(answer), *found = result_of_call(call);

        n_cells++;
        if (!g_str_equal(expected, found))
                g_error("%s by %s, polkit %s: %s (%s), expected %s", stage_get_method(i), caller,
                        answer, found, call->message ?: "", expected);
}

static void check_asked(const Harness *h, guint before, size_t i, const char *action) {
        const PolkitQuestion *q;

        if (h->polkit->questions->len != before + 1)
                g_error("%s: polkit was asked %u times", stage_get_method(i),
                        h->polkit->questions->len - before);
        q = mock_polkit_last(h->polkit);
        g_assert_true(g_str_has_prefix(q->action, BUS_NAME "."));
        if (!g_str_equal(q->action + strlen(BUS_NAME "."), action))
                g_error("%s: polkit was asked for %s, expected %s", stage_get_method(i), q->action,
                        action);
}

/* --- the contract and the rows --- */

static GHashTable *methods_of_contract(void) {
        GHashTable *methods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GDir *d = g_dir_open(SOURCE_ROOT "/introspection", 0, NULL);
        const char *name;

        g_assert_nonnull(d);
        while ((name = g_dir_read_name(d))) {
                g_autofree char *path = g_build_filename(SOURCE_ROOT "/introspection", name, NULL);
                g_autofree char *text = NULL;
                g_auto(GStrv) parts = NULL, words = g_strsplit(name, ".", -1);

                if (!g_str_has_suffix(name, ".xml"))
                        continue;
                g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
                parts = g_strsplit(text, "<method name=\"", -1);
                for (char **part = parts + 1; *part; part++)
                        g_hash_table_add(methods, g_strdup_printf("%s.%.*s", words[2],
                                                                  (int) strcspn(*part, "\""),
                                                                  *part));
        }
        g_dir_close(d);
        return methods;
}

TEST(matrix_has_a_row_for_every_method) {
        g_autoptr(GHashTable) methods = methods_of_contract();
        g_autoptr(GPtrArray) rows = read_rows("method");
        GHashTableIter iter;
        const char *method;

        g_hash_table_iter_init(&iter, methods);
        while (g_hash_table_iter_next(&iter, (void **) &method, NULL))
                if (!row_of("method", method))
                        g_error("%s is in the contract; add \"method %s OWNER'S-ACTION "
                                "OTHERS'-ACTION\" to tests/bus/denials", method, method);
        g_assert_cmpuint(rows->len, ==, g_hash_table_size(methods));
        for (guint i = 0; i < rows->len; i++) {
                char **row = g_ptr_array_index(rows, i);

                g_assert_cmpuint(g_strv_length(row), ==, 4);
                if (!g_hash_table_contains(methods, row[1]))
                        g_error("tests/bus/denials has %s, the contract has not", row[1]);
        }
}

/* --- refusals: nothing changes, so one stage serves them all --- */

static void refuse_all(Stage *stage, Client *client, bool owner, const char *answer) {
        static const struct {
                const char *name;
                PolkitAnswer answer;
                bool interactive;
        } answers[] = {
                { "no", POLKIT_NO, false },
                { "no-with-flag", POLKIT_NO, true },
                { "challenge", POLKIT_CHALLENGE, false },
                { "challenge-with-flag", POLKIT_CHALLENGE, true },
                { "error", POLKIT_ERROR, false },
                { "garbage", POLKIT_GARBAGE, false },
                { "absent", POLKIT_NO, false },
        };
        Harness *h = stage->h;
        unsigned runs = harness_count_runs(h, "");
        bool absent = g_str_equal(answer, "absent");

        for (size_t a = 0; a < ELEMENTSOF(answers); a++)
                if (g_str_equal(answers[a].name, answer)) {
                        h->polkit->answer = answers[a].answer;
                        client->interactive = answers[a].interactive;
                }
        for (size_t i = 0; stage_get_method(i); i++) {
                const char *action = action_of(i, owner);
                guint asked = h->polkit->questions->len;
                g_autoptr(Call) call = NULL;

                if (!action)
                        continue; /* not a cell where polkit has a say */
                call = call_wait(client, stage_begin(stage, client, i));
                check_cell(i, owner ? "its owner" : "another user", answer, call);
                if (absent)
                        continue;
                check_asked(h, asked, i, action);
                g_assert_cmpuint(mock_polkit_last(h->polkit)->flags, ==, client->interactive);
        }
        client->interactive = false;
        g_assert_cmpuint(harness_count_runs(h, ""), ==, runs);
}

TEST(matrix_of_refusals) {
        static const char *const answers[] = { "no", "no-with-flag", "challenge",
                                               "challenge-with-flag", "error", "garbage" };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_auto(Stage) stage = stage_new(h, alice);

        n_cells = 0;
        for (size_t a = 0; a < ELEMENTSOF(answers); a++) {
                refuse_all(&stage, alice, true, answers[a]);
                refuse_all(&stage, bob, false, answers[a]);
        }
        mock_polkit_leave(h->polkit);
        refuse_all(&stage, alice, true, "absent");
        refuse_all(&stage, bob, false, "absent");
        printf("%u cells\n", n_cells);
}

/* Nobody knows who the overflow uid is: whatever polkit would say, and even what is for all. */
TEST(matrix_of_the_overflow_uid) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_auto(Stage) stage = stage_new(h, alice);
        g_autoptr(Client) nobody = client_new(h, UID_NOBODY);
        guint asked = h->polkit->questions->len;
        unsigned runs = harness_count_runs(h, "");

        for (size_t i = 0; stage_get_method(i); i++) {
                g_autoptr(Call) call = call_wait(nobody, stage_begin(&stage, nobody, i));

                check_cell(i, "the overflow uid", "overflow-uid", call);
        }
        g_assert_cmpuint(h->polkit->questions->len, ==, asked);
        g_assert_cmpuint(harness_count_runs(h, ""), ==, runs);
}

/* Who leaves while polkit is asked gets nothing done, and the dialog for him goes away. */
TEST(matrix_of_senders_that_vanish) {
        static const uid_t uids[] = { UID_ALICE, UID_BOB };
        /* It comes too late, so which it is makes no difference: a "yes" every other time. */
        static const PolkitAnswer answers[] = { POLKIT_YES, POLKIT_NO, POLKIT_YES, POLKIT_CHALLENGE,
                                                POLKIT_YES, POLKIT_ERROR, POLKIT_YES,
                                                POLKIT_GARBAGE };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_auto(Stage) stage = stage_new(h, alice);
        g_autoptr(Call) last = NULL;
        unsigned runs = harness_count_runs(h, "");

        for (size_t u = 0; u < ELEMENTSOF(uids); u++)
                for (size_t i = 0; stage_get_method(i); i++) {
                        guint asked = h->polkit->questions->len;
                        guint cancelled = h->polkit->cancelled->len;
                        Client *client;
                        Call *call;

                        if (!action_of(i, uids[u] == UID_ALICE))
                                continue;
                        client = client_new(h, uids[u]);
                        h->polkit->answer = POLKIT_HOLD;
                        call = stage_begin(&stage, client, i);
                        HARNESS_WAIT(h, h->polkit->questions->len > asked);
                        (void) client_free(client);
                        HARNESS_WAIT(h, h->polkit->cancelled->len > cancelled);
                        mock_polkit_answer(mock_polkit_last(h->polkit),
                                           answers[n_cells++ % ELEMENTSOF(answers)]);
                        g_assert_false(call->answered);
                        (void) call_free(call);
                }
        /* The service has read all of it once it answers this. */
        last = client_call(h->root, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(last);
        g_assert_cmpuint(harness_count_runs(h, ""), ==, runs);
}

/* --- polkit that takes its time --- */

/* Longer than sd-bus would wait by itself, which is brought down to a second here. The time itself
 * is BERTH_SLOW_SECONDS=40, which nobody waits for each time. */
static uint64_t slow_usec(void) {
        const char *text = getenv("BERTH_SLOW_SECONDS");

        return text ? strtoul(text, NULL, 10) * G_USEC_PER_SEC : 1600 * G_TIME_SPAN_MILLISECOND;
}

static int on_slow(sd_event_source *source, uint64_t usec, void *userdata) {
        *(bool *) userdata = true;
        return 0;
}

/* A second at a time: that nothing happens for longer would end the test. */
static void wait_slowly(Harness *h) {
        for (uint64_t left = slow_usec(); left > 0;) {
                uint64_t part = MIN(left, (uint64_t) G_USEC_PER_SEC);
                sd_event_source *timer = NULL;
                bool over = false;

                g_assert_cmpint(sd_event_add_time_relative(h->event, &timer, CLOCK_MONOTONIC, part,
                                                           0, on_slow, &over), >=, 0);
                HARNESS_WAIT(h, over);
                sd_event_source_disable_unref(timer);
                left -= part;
        }
}

/* Who has as many questions open as a user may. */
typedef struct Patient {
        Client *client;
        bool owner;
        size_t next; /* method of his that comes next */
        unsigned under_way;
        size_t methods[QUESTIONS_PER_UID_MAX];
        Call *calls[QUESTIONS_PER_UID_MAX];
} Patient;

/* Several are others: they share what is to be called among them. */
static void patient_begin(Patient *p, Stage *stage, unsigned share, unsigned of) {
        p->under_way = 0;
        for (; stage_get_method(p->next) && p->under_way < QUESTIONS_PER_UID_MAX; p->next++) {
                if (p->next % of != share || !action_of(p->next, p->owner))
                        continue;
                p->methods[p->under_way] = p->next;
                p->calls[p->under_way++] = stage_begin(stage, p->client, p->next);
        }
}

static void patient_check(Patient *p, bool answered) {
        for (unsigned i = 0; i < p->under_way; i++) {
                if (!answered && p->calls[i]->answered)
                        g_error("%s did not wait for polkit: %s", stage_get_method(p->methods[i]),
                                p->calls[i]->message);
                if (!answered)
                        continue;
                HARNESS_WAIT(p->client->harness, p->calls[i]->answered);
                check_cell(p->methods[i], "a patient one", "slow-no", p->calls[i]);
                p->calls[i] = call_free(p->calls[i]);
        }
}

TEST(matrix_of_slow_answers) {
        static const uid_t others[] = { UID_BOB, UID_CROWD, UID_CROWD + 1, UID_CROWD + 2 };
        Patient patients[1 + ELEMENTSOF(others)] = { 0 };
        g_autoptr(Harness) h = harness_new_idle();
        unsigned under_way;

        g_assert_cmpint(setenv("SYSTEMD_BUS_TIMEOUT", "1s", 1), ==, 0);
        harness_start_service(h, NULL);
        (void) unsetenv("SYSTEMD_BUS_TIMEOUT");
        patients[0] = (Patient) { client_new(h, UID_ALICE), .owner = true };
        g_auto(Stage) stage = stage_new(h, patients[0].client);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                patients[i + 1].client = client_new(h, others[i]);
        h->polkit->answer = POLKIT_HOLD;
        do {
                guint first = h->polkit->questions->len;

                under_way = 0;
                for (size_t i = 0; i < ELEMENTSOF(patients); i++) {
                        patient_begin(&patients[i], &stage, i == 0 ? 0 : (unsigned) i - 1,
                                      i == 0 ? 1 : ELEMENTSOF(others));
                        under_way += patients[i].under_way;
                }
                HARNESS_WAIT(h, h->polkit->questions->len == first + under_way);
                wait_slowly(h);
                for (size_t i = 0; i < ELEMENTSOF(patients); i++)
                        patient_check(&patients[i], false);
                for (guint i = first; i < h->polkit->questions->len; i++)
                        mock_polkit_answer(g_ptr_array_index(h->polkit->questions, i), POLKIT_NO);
                for (size_t i = 0; i < ELEMENTSOF(patients); i++)
                        patient_check(&patients[i], true);
        } while (under_way > 0);
        for (size_t i = 0; i < ELEMENTSOF(patients); i++)
                (void) client_free(patients[i].client);
}

/* --- grants: each caller has a stage of his own, for what is done stays done --- */

static void grant_all(uid_t uid, const char *answer) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), client = client_new(h, uid);
        g_auto(Stage) stage = stage_new(h, alice);
        g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func(call_free_in_array);

        h->polkit->answer = uid == 0 ? POLKIT_NO : POLKIT_YES;
        for (size_t i = 0; stage_get_method(i); i++) {
                const char *action = uid == 0 ? NULL : action_of(i, uid == UID_ALICE);
                guint asked = h->polkit->questions->len;
                Call *call = stage_begin(&stage, client, i);

                g_ptr_array_add(held, call);
                if (g_str_equal(stage_get_method(i), "Job.Wait"))
                        continue; /* answered when the job is killed below */
                (void) call_wait(client, call);
                check_cell(i, uid == 0 ? "root" : uid == UID_ALICE ? "its owner" : "another user",
                           answer, call);
                if (action)
                        check_asked(h, asked, i, action);
                else if (!g_str_equal(stage_get_method(i), "Manager.CheckAccess"))
                        g_assert_cmpuint(h->polkit->questions->len, ==, asked);
        }
        g_ptr_array_set_size(held, 0);
}

TEST(matrix_of_grants) {
        grant_all(UID_ALICE, "yes");
        grant_all(UID_BOB, "yes");
        grant_all(0, "root");
}

/* --- with and without a session: what the policy that is installed says --- */

static void check_default(const char *policy, char **row, const char *tag, const char *expected) {
        g_autofree char *id = g_strdup_printf("<action id=\"" BUS_NAME ".%s\">", row[1]);
        g_autofree char *open = g_strdup_printf("<%s>", tag);
        const char *action = strstr(policy, id), *value;

        if (!action)
                g_error("the policy has no action %s", row[1]);
        value = strstr(action, open);
        g_assert_nonnull(value);
        value += strlen(open);
        if (strncmp(value, expected, strlen(expected)) != 0 || value[strlen(expected)] != '<')
                g_error("%s, %s: the policy says %.*s, expected %s", row[1], tag,
                        (int) strcspn(value, "<"), value, expected);
        n_cells++;
}

TEST(matrix_of_sessions) {
        g_autofree char *policy = NULL;
        g_autoptr(GPtrArray) rows = read_rows("action"), methods = read_rows("method");

        g_assert_true(g_file_get_contents(SOURCE_ROOT "/polkit/org.berth1.policy", &policy, NULL,
                                          NULL));
        g_assert_cmpuint(rows->len, >, 0);
        for (guint i = 0; i < rows->len; i++) {
                char **row = g_ptr_array_index(rows, i);

                g_assert_cmpuint(g_strv_length(row), ==, 5);
                check_default(policy, row, "allow_active", row[2]);
                check_default(policy, row, "allow_inactive", row[3]);
                check_default(policy, row, "allow_any", row[4]);
        }
        for (guint i = 0; i < methods->len; i++)
                for (int column = 2; column < 4; column++) {
                        char **row = g_ptr_array_index(methods, i);

                        if (!g_str_equal(row[column], "-") && !row_of("action", row[column]))
                                g_error("%s: there is no action %s", row[1], row[column]);
                }
}
