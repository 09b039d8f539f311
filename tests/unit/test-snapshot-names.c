/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/name.h"
#include "service/model/snapshot-calendar.h"
#include "service/model/snapshot-pattern.h"
#include "service/model/snapshot.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

/* µs since 1970 of "2026-02-28T23:59:00", UTC. */
static uint64_t at(const char *text) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

        g_assert_nonnull(time);
        return (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC;
}

static char *text_of(uint64_t usec) {
        g_autoptr(GDateTime) time =
                g_date_time_new_from_unix_utc((gint64) (usec / G_USEC_PER_SEC));

        return g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
}

TEST(schedules) {
        static const struct {
                const char *schedule, *after, *next;
        } cases[] = {
                { "* * * * *", "2026-11-25T12:00:00", "2026-11-25T12:01:00" },
                { "* * * * *", "2026-11-25T12:00:59", "2026-11-25T12:01:00" },
                { "30 4 * * *", "2026-11-25T04:29:59", "2026-11-25T04:30:00" },
                { "30 4 * * *", "2026-11-25T04:30:00", "2026-11-26T04:30:00" },
                { "*/15 * * * *", "2026-12-31T23:50:00", "2027-01-01T00:00:00" },
                { "5-10/5,50 1 * * *", "2026-01-01T01:05:00", "2026-01-01T01:10:00" },
                { "5-10/5,50 1 * * *", "2026-01-01T01:10:00", "2026-01-01T01:50:00" },
                { "0 0 29 2 *", "2025-01-01T00:00:00", "2028-02-29T00:00:00" },
                { "0 0 29 2 *", "2099-01-01T00:00:00", "2104-02-29T00:00:00" }, /* 2100 has none */
                { "0 0 31 * *", "2026-01-31T00:00:00", "2026-03-31T00:00:00" },
                { "0 0 * * mon", "2026-11-25T00:00:00", "2026-11-30T00:00:00" },
                { "0 0 * * 7", "2026-11-25T00:00:00", "2026-11-29T00:00:00" },
                { "0 0 13 * fri", "2026-11-01T00:00:00", "2026-11-06T00:00:00" }, /* either */
                { "0 12 1 jan-mar *", "2026-03-01T12:00:00", "2027-01-01T12:00:00" },
                { "15/20 * * * *", "2026-01-01T00:16:00", "2026-01-01T00:35:00" },
                /* The hour that is skipped or doubled elsewhere is an hour like any other. */
                { "30 2 * * *", "2026-03-28T02:30:00", "2026-03-29T02:30:00" },
                { "30 2 * * *", "2026-10-25T02:29:00", "2026-10-25T02:30:00" },
                { "@hourly", "2026-11-25T12:00:00", "2026-11-25T13:00:00" },
                { "@daily", "2026-02-28T12:00:00", "2026-03-01T00:00:00" },
                { "@midnight", "2028-02-28T12:00:00", "2028-02-29T00:00:00" },
                { "@weekly", "2026-11-25T12:00:00", "2026-11-29T00:00:00" },
                { "@monthly", "2026-12-01T00:00:00", "2027-01-01T00:00:00" },
                { "@yearly", "2026-12-01T00:00:00", "2027-01-01T00:00:00" },
                { "@monthly, @daily", "2026-11-25T12:00:00", "2026-11-26T00:00:00" },
                { "@startup, @annually", "2026-11-25T12:00:00", "2027-01-01T00:00:00" },
                { "@startup", "2026-11-25T12:00:00", NULL },
                { "@never", "2026-11-25T12:00:00", NULL },
                { "0 0 31 2 *", "2026-11-25T12:00:00", NULL },
                { "", "2026-11-25T12:00:00", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *next = NULL;
                uint64_t usec;

                g_assert_cmpint(snapshot_schedule_check(cases[i].schedule, NULL), ==, 0);
                if (snapshot_schedule_next(cases[i].schedule, at(cases[i].after), &usec))
                        next = text_of(usec);
                g_assert_cmpstr(next, ==, cases[i].next);
        }
        g_assert_true(snapshot_schedule_at_start("@daily, @startup"));
        g_assert_false(snapshot_schedule_at_start("@daily"));
        g_assert_false(snapshot_schedule_at_start("* * * * *"));
}

TEST(bad_schedules) {
        static const char *const cases[] = {
                "x", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "1,, * * * *", "@hour",
                "@daily,0 0 * * *", ", * * * *", "-1 * * * *", "1- * * * *", "/5 * * * *",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                g_assert_cmpint(snapshot_schedule_check(cases[i], &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        }
}

TEST(expiries) {
        static const struct {
                const char *expiry, *created, *expires;
        } cases[] = {
                { "90S", "2026-11-25T12:00:00", "2026-11-25T12:01:30" },
                { "1M", "2026-11-25T12:00:00", "2026-11-25T12:01:00" },
                { "1m", "2026-11-25T12:00:00", "2026-12-25T12:00:00" },
                { "1M 2H 3d 4w 5m 6y", "2020-01-01T00:00:00", "2026-07-02T02:01:00" },
                { "1m", "2026-01-31T00:00:00", "2026-03-03T00:00:00" },
                { "1m", "2028-01-31T00:00:00", "2028-03-02T00:00:00" },
                { "1y", "2028-02-29T00:00:00", "2029-03-01T00:00:00" },
                { "2H", "2026-03-29T00:30:00", "2026-03-29T02:30:00" },
                { "0d", "2026-11-25T12:00:00", "2026-11-25T12:00:00" },
        };
        uint64_t usec;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *text = NULL;

                g_assert_cmpint(snapshot_expiry_apply(cases[i].expiry, at(cases[i].created) + 7,
                                                      &usec, NULL), ==, 0);
                g_assert_cmpuint(usec % G_USEC_PER_SEC, ==, 7);
                text = text_of(usec);
                g_assert_cmpstr(text, ==, cases[i].expires);
        }
        g_assert_cmpint(snapshot_expiry_apply("", at("2026-11-25T12:00:00"), &usec, NULL), ==, 0);
        g_assert_cmpuint(usec, ==, 0);
}

TEST(bad_expiries) {
        static const char *const cases[] = { "x", "1", "d", "1d 2d", "-1d", "1.5d", "1dd", "1d,2w",
                                             "99999y", "9999999999999M", "1 d" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                g_assert_cmpint(snapshot_expiry_check(cases[i], &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        }
}

static void free_snapshot(void *p) {
        (void) snapshot_free(p);
}

static GPtrArray *list_of(const char *const *names) {
        GPtrArray *list = g_ptr_array_new_with_free_func(free_snapshot);

        for (; names && *names; names++)
                g_ptr_array_add(list, snapshot_new("c1", *names, 0));
        return list;
}

TEST(patterns) {
        static const struct {
                const char *pattern, *names[5], *made;
        } cases[] = {
                { "snap%d", { NULL }, "snap0" },
                { "snap%d", { "snap0", "snap7", "other", NULL }, "snap8" },
                { "snap%d", { "snap", "snapx9", "snap-1", NULL }, "snap0" },
                { "%d-daily", { "4-daily", "9-weekly", NULL }, "5-daily" },
                { "{{ creation_date|date:'2006-01-02_15-04-05' }}", { NULL },
                  "2026-02-03_04-05-06" },
                { "at-{{creation_date}}", { NULL }, "at-2026-02-03_04-05-06" },
                { "{{ creation_date|date:\"Jan06\" }}-%d", { "Feb26-0", NULL }, "Feb26-1" },
                { "{{ creation_date|date:'2006' }}", { "2026", NULL }, "2026-0" },
                { "{{ creation_date|date:'2006' }}", { "2026", "2026-0", NULL }, "2026-1" },
                { "plain", { "plain", NULL }, "plain-0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GPtrArray) list = list_of(cases[i].names);
                g_autofree char *made = NULL;

                g_assert_cmpint(snapshot_pattern_check(cases[i].pattern, NULL), ==, 0);
                g_assert_cmpint(snapshot_pattern_apply(cases[i].pattern, list,
                                                       at("2026-02-03T04:05:06"), &made, NULL),
                                ==, 0);
                g_assert_cmpstr(made, ==, cases[i].made);
        }
}

TEST(bad_patterns) {
        static const char *const cases[] = {
                "a/b", "..", "-x", "a b", "{{ name }}", "{{ creation_date|upper }}",
                "{{ creation_date|date:'%n/%n' }}", "{{ creation_date|date:'2006/01' }}",
                "{{ creation_date", "{{ creation_date|date:'x }}", "{{ creation_date x }}",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;

                g_assert_cmpint(snapshot_pattern_check(cases[i], &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_nonnull(error.message);
        }
}

TEST(records) {
        static const char *const names[] = { "a", "b", NULL };
        g_autoptr(GPtrArray) list = list_of(names), back = list_of(NULL);
        g_autoptr(GVariant) record = NULL;
        Snapshot *s = list->pdata[1];

        s->state = SNAPSHOT_READY;
        s->created = 5;
        s->expires = 6;
        s->rename_to = g_strdup("c");
        s->object.revision = 9;
        record = snapshots_to_record(list);
        g_assert_cmpint(snapshots_from_record("c2", 7, record, back), ==, 0);
        g_assert_cmpuint(back->len, ==, 2);
        s = back->pdata[1];
        g_assert_cmpstr(s->object.name, ==, "c2/b");
        g_assert_cmpuint(s->object.owner, ==, 7);
        g_assert_cmpuint(s->object.revision, ==, 9);
        g_assert_cmpint(s->state, ==, SNAPSHOT_READY);
        g_assert_cmpuint(s->created, ==, 5);
        g_assert_cmpuint(s->expires, ==, 6);
        g_assert_cmpstr(s->rename_to, ==, "c");
        g_assert_true(snapshots_find(back, "a") == back->pdata[0]);
        g_assert_null(snapshots_find(back, "c"));
}

TEST(a_name_in_a_record_is_checked) {
        static const char *const bad[] = { "../x", "_", "__x", "_../x", ".x" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                const char *const names[] = { bad[i], NULL };
                g_autoptr(GPtrArray) list = list_of(names), back = list_of(NULL);
                g_autoptr(GVariant) record = snapshots_to_record(list);

                g_assert_cmpint(snapshots_from_record("c2", 7, record, back), ==, -EBADMSG);
                g_assert_cmpuint(back->len, ==, 0);
        }
}

TEST(stand_ins) {
        static const char *const names[] = { "a", "b", NULL };
        g_autoptr(GPtrArray) list = list_of(names), back = list_of(NULL);
        g_autofree char *free = snapshots_name_new(list, "c");
        g_autofree char *taken = snapshots_name_new(list, "b");
        g_autoptr(GVariant) record = NULL;
        Snapshot *s;

        g_assert_cmpstr(free, ==, "c");
        g_assert_cmpint(name_check(NAME_SNAPSHOT, taken, NULL), <, 0);
        g_assert_cmpstr(snapshot_lasting_name(taken), ==, "b");
        ((Snapshot *) list->pdata[0])->state = SNAPSHOT_READY;
        snapshot_set_name(list->pdata[1], "c1", taken);
        g_assert_true(snapshots_claim(list, "b"));
        g_assert_false(snapshots_claim(list, "c"));
        ((Snapshot *) list->pdata[0])->rename_to = g_strdup("c");
        g_assert_true(snapshots_claim(list, "c"));
        snapshot_set_made(list->pdata[1]);
        record = snapshots_to_record(list);
        g_assert_cmpint(snapshots_from_record("c2", 7, record, back), ==, 0);
        s = back->pdata[1];
        g_assert_cmpint(s->state, ==, SNAPSHOT_REPLACING);
        g_assert_true(snapshot_is_stand_in(s));
        g_assert_cmpstr(snapshot_get_name_to_be(s), ==, "b");
        g_assert_true(snapshots_find_half(back) == back->pdata[0]);
}

TEST_MAIN()
