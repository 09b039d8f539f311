/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/snapshot-calendar.h"

#include <string.h>
#include <time.h>

#include "service/util/cleanup.h"

/* Every combination of day, month and weekday comes again within 400 years; the rarest that people
 * write, the 29th of February on some weekday, within 40. */
#define SEARCH_DAYS (41 * 366)
#define DAY_SECONDS INT64_C(86400)
#define YEAR_MAX 9999

/* --- cron --- */

typedef struct Cron {
        uint64_t minutes, hours, days, months, weekdays; /* bit N: N is allowed */
        bool any_day, any_weekday;
} Cron;

typedef struct CronField {
        unsigned min, max;
        const char *const *names; /* of min and those after it, or NULL */
} CronField;

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
                                           "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed",
                                             "thu", "fri", "sat", NULL };

static const CronField cron_fields[] = {
        { 0, 59, NULL }, { 0, 23, NULL }, { 1, 31, NULL },
        { 1, 12, month_names }, { 0, 7, weekday_names }, /* 7 is Sunday too */
};

static bool parse_unit(const CronField *field, const char *text, unsigned *ret) {
        guint64 n;

        for (unsigned i = 0; field->names && field->names[i]; i++)
                if (g_ascii_strcasecmp(field->names[i], text) == 0) {
                        *ret = field->min + i;
                        return true;
                }
        if (!g_ascii_string_to_unsigned(text, 10, field->min, field->max, &n, NULL))
                return false;
        *ret = (unsigned) n;
        return true;
}

/* "*", "N", "N-M", each with "/STEP" perhaps; "N/STEP" runs to the end. */
static bool parse_range(const CronField *field, const char *text, uint64_t *mask) {
        g_auto(GStrv) parts = g_strsplit(text, "/", 2), ends = NULL;
        unsigned first = field->min, last = field->max;
        guint64 step = 1;

        if (parts[0] && parts[1] &&
            !g_ascii_string_to_unsigned(parts[1], 10, 1, 1000, &step, NULL))
                return false;
        if (!parts[0])
                return false;
        if (!g_str_equal(parts[0], "*") && !g_str_equal(parts[0], "?")) {
                ends = g_strsplit(parts[0], "-", 2);
                if (!ends[0] || !parse_unit(field, ends[0], &first))
                        return false;
                if (ends[1]) {
                        if (!parse_unit(field, ends[1], &last))
                                return false;
                } else if (!parts[1])
                        last = first;
        }
        if (first > last)
                return false;
        for (uint64_t n = first; n <= last; n += step)
                *mask |= UINT64_C(1) << n;
        return true;
}

static bool parse_field(const CronField *field, const char *text, uint64_t *mask) {
        g_auto(GStrv) ranges = g_strsplit(text, ",", -1);

        for (char **range = ranges; *range; range++)
                if (!parse_range(field, *range, mask))
                        return false;
        return ranges[0] != NULL;
}

static bool cron_parse(const char *text, Cron *ret) {
        g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
        Cron cron = { 0 };
        uint64_t *masks[] = { &cron.minutes, &cron.hours, &cron.days, &cron.months,
                              &cron.weekdays };
        unsigned n = 0;

        for (char **word = words; *word; word++) {
                if (!**word)
                        continue;
                if (n == ELEMENTSOF(masks) || !parse_field(&cron_fields[n], *word, masks[n]))
                        return false;
                cron.any_day |= n == 2 && strchr("*?", **word);
                cron.any_weekday |= n == 4 && strchr("*?", **word);
                n++;
        }
        if (cron.weekdays & (1 << 7))
                cron.weekdays |= 1;
        *ret = cron;
        return n == ELEMENTSOF(masks);
}

static bool has_bit(uint64_t mask, int n) {
        return mask & (UINT64_C(1) << n);
}

static bool cron_allows_day(const Cron *cron, const struct tm *day) {
        bool by_day = has_bit(cron->days, day->tm_mday);
        bool by_weekday = has_bit(cron->weekdays, day->tm_wday);

        if (!has_bit(cron->months, day->tm_mon + 1))
                return false;
        return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first allowed minute of the day that is not before `from` (a minute of the day), or -1. */
static int cron_minute_of_day(const Cron *cron, int from) {
        for (int minute = from; minute < 24 * 60; minute++)
                if (has_bit(cron->hours, minute / 60) && has_bit(cron->minutes, minute % 60))
                        return minute;
        return -1;
}

static bool cron_next(const Cron *cron, uint64_t after, uint64_t *ret) {
        int64_t first = (int64_t) (after / G_USEC_PER_SEC / 60) + 1; /* minute since 1970 */
        int64_t day = first * 60 / DAY_SECONDS;
        int from = (int) (first % (24 * 60));

        for (int i = 0; i < SEARCH_DAYS; i++, day++, from = 0) {
                time_t midnight = (time_t) (day * DAY_SECONDS);
                struct tm tm;
                int minute;

                if (!gmtime_r(&midnight, &tm) || !cron_allows_day(cron, &tm))
                        continue;
                minute = cron_minute_of_day(cron, from);
                if (minute < 0)
                        continue;
                *ret = (uint64_t) (midnight + minute * 60) * G_USEC_PER_SEC;
                return true;
        }
        return false;
}

/* --- schedules --- */

typedef struct Alias {
        const char *name;
        const char *cron; /* NULL: at no time of the calendar */
} Alias;

static const Alias aliases[] = {
        { "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
        { "@weekly", "0 0 * * 0" },   { "@monthly", "0 0 1 * *" },  { "@annually", "0 0 1 1 *" },
        { "@yearly", "0 0 1 1 *" },   { "@startup", NULL },         { "@never", NULL },
};

static const Alias *alias_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(aliases); i++)
                if (g_str_equal(aliases[i].name, name))
                        return &aliases[i];
        return NULL;
}

/* The words of a list of aliases, without blanks; NULL for what is no such list. */
static char **split_aliases(const char *schedule) {
        char **words;

        if (!strchr(schedule, '@'))
                return NULL;
        words = g_strsplit(schedule, ",", -1);
        for (char **word = words; *word; word++)
                (void) g_strstrip(*word);
        return words;
}

int snapshot_schedule_check(const char *schedule, Error *ret_error) {
        g_auto(GStrv) words = split_aliases(schedule);
        g_autofree char *shown = NULL;
        bool good = true;
        Cron cron;

        if (!*schedule)
                return 0;
        for (char **word = words; word && *word; word++)
                good &= alias_find(*word) != NULL;
        if (!words)
                good = cron_parse(schedule, &cron);
        if (good)
                return 0;
        shown = g_strescape(schedule, NULL);
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.80s\" is no schedule: write \"minute hour day month weekday\" as "
                         "cron does, or a list of @hourly, @daily, @weekly, @monthly, @yearly, "
                         "@startup, @never", shown);
}

bool snapshot_schedule_next(const char *schedule, uint64_t after, uint64_t *ret) {
        g_auto(GStrv) words = split_aliases(schedule);
        uint64_t best = UINT64_MAX, next;
        Cron cron;

        if (!words)
                return cron_parse(schedule, &cron) && cron_next(&cron, after, ret);
        for (char **word = words; *word; word++) {
                const Alias *alias = alias_find(*word);

                if (!alias)
                        return false;
                if (alias->cron && cron_parse(alias->cron, &cron) &&
                    cron_next(&cron, after, &next))
                        best = MIN(best, next);
        }
        if (best == UINT64_MAX)
                return false;
        *ret = best;
        return true;
}

bool snapshot_schedule_at_start(const char *schedule) {
        g_auto(GStrv) words = split_aliases(schedule);

        return words && g_strv_contains((const char *const *) words, "@startup");
}

/* --- expiry --- */

/* One "12w": adds to the field of `tm` that the unit stands for. */
static bool expiry_add(struct tm *tm, const char *word, unsigned *seen) {
        static const char units[] = "SMHdwmy";
        int *const fields[] = { &tm->tm_sec, &tm->tm_min, &tm->tm_hour, &tm->tm_mday,
                                &tm->tm_mday, &tm->tm_mon, &tm->tm_year };
        size_t length = strlen(word);
        const char *unit = length > 1 ? strchr(units, word[length - 1]) : NULL;
        g_autofree char *digits = NULL;
        guint64 n;

        if (!unit || (*seen & (1U << (unit - units))))
                return false;
        *seen |= 1U << (unit - units);
        digits = g_strndup(word, length - 1);
        if (!g_ascii_string_to_unsigned(digits, 10, 0, 1000000, &n, NULL))
                return false;
        *fields[unit - units] += (int) n * (*unit == 'w' ? 7 : 1);
        return true;
}

int snapshot_expiry_apply(const char *expiry, uint64_t created, uint64_t *ret, Error *ret_error) {
        g_auto(GStrv) words = g_strsplit_set(expiry, " \t", -1);
        time_t seconds = (time_t) (created / G_USEC_PER_SEC);
        g_autofree char *shown = g_strescape(expiry, NULL);
        unsigned seen = 0;
        bool good = true;
        struct tm tm;

        if (!gmtime_r(&seconds, &tm))
                return error_set(ret_error, ERROR_INVALID_ARGS, "This time is no date");
        for (char **word = words; *word; word++)
                if (**word)
                        good &= expiry_add(&tm, *word, &seen);
        if (!good)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.80s\" is no expiry: write numbers with units, such as "
                                 "\"1w 2d\" (S, M, H, d, w, m, y, each once)", shown);
        if (seen == 0) {
                *ret = 0;
                return 0;
        }
        /* What is too much for its field carries over: the 31st of April is the 1st of May. */
        seconds = timegm(&tm);
        if (seconds < 0 || tm.tm_year > YEAR_MAX - 1900)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The expiry \"%.80s\" is further away than the calendar goes",
                                 shown);
        *ret = (uint64_t) seconds * G_USEC_PER_SEC + created % G_USEC_PER_SEC;
        return 0;
}

int snapshot_expiry_check(const char *expiry, Error *ret_error) {
        uint64_t unused;

        return snapshot_expiry_apply(expiry, 0, &unused, ret_error);
}
