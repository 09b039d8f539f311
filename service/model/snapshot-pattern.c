/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/snapshot-pattern.h"

#include <errno.h>
#include <string.h>

#include "service/model/name.h"
#include "service/model/snapshot.h"
#include "service/util/cleanup.h"

#define LAYOUT_DEFAULT "2006-01-02_15-04-05"

typedef struct LayoutWord {
        const char *word;   /* as it is in the layout */
        const char *format; /* of g_date_time_format() */
} LayoutWord;

/* Longer ones before those that they begin with. */
static const LayoutWord layout_words[] = {
        { "2006", "%Y" }, { "January", "%B" }, { "Jan", "%b" }, { "Monday", "%A" },
        { "Mon", "%a" },  { "MST", "UTC" },    { "-0700", "+0000" },
        { "01", "%m" },   { "02", "%d" },      { "03", "%I" },  { "04", "%M" },
        { "05", "%S" },   { "06", "%y" },      { "15", "%H" },  { "PM", "%p" },
        { "pm", "%P" },
};

static char *format_layout(const char *layout, GDateTime *time) {
        g_autoptr(GString) format = g_string_new(NULL);

        for (const char *p = layout; *p;) {
                const LayoutWord *found = NULL;

                for (size_t i = 0; i < ELEMENTSOF(layout_words) && !found; i++)
                        if (g_str_has_prefix(p, layout_words[i].word))
                                found = &layout_words[i];
                if (found) {
                        g_string_append(format, found->format);
                        p += strlen(found->word);
                        continue;
                }
                if (*p == '%')
                        g_string_append_c(format, '%');
                g_string_append_c(format, *p++);
        }
        return g_date_time_format(time, format->str) ?: g_strdup("");
}

/* What stands between "{{" and "}}": creation_date, perhaps with a layout. */
static int expand_expression(const char *text, GDateTime *time, GString *out,
                             Error *ret_error) {
        g_autofree char *clean = g_strstrip(g_strdup(text)), *layout = NULL, *formatted = NULL;
        const char *p = clean;

        if (!g_str_has_prefix(p, "creation_date"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "A pattern of snapshots knows \"creation_date\", not \"%.40s\"",
                                 clean);
        p += strlen("creation_date");
        p += strspn(p, " ");
        if (*p == '|') {
                p += 1 + strspn(p + 1, " ");
                if (!g_str_has_prefix(p, "date:") || (p[5] != '\'' && p[5] != '"') ||
                    strlen(p) < 7 || p[strlen(p) - 1] != p[5])
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "After \"creation_date|\" in a pattern of snapshots "
                                         "comes date:'LAYOUT'");
                layout = g_strndup(p + 6, strlen(p) - 7);
        } else if (*p)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.40s\" in a pattern of snapshots makes no sense", p);
        formatted = format_layout(layout ?: LAYOUT_DEFAULT, time);
        g_string_append(out, formatted);
        return 0;
}

/* The pattern with its dates; "%d" is still in it. */
static int expand_dates(const char *pattern, uint64_t now, char **ret, Error *ret_error) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GDateTime) time =
                g_date_time_new_from_unix_utc((gint64) (now / G_USEC_PER_SEC));
        const char *p = pattern, *begin;

        if (!time)
                return error_set(ret_error, ERROR_INVALID_ARGS, "This time is no date");
        while ((begin = strstr(p, "{{"))) {
                const char *end = strstr(begin, "}}");
                g_autofree char *expression = NULL;
                int r;

                if (!end)
                        break;
                g_string_append_len(out, p, begin - p);
                expression = g_strndup(begin + 2, (gsize) (end - begin - 2));
                r = expand_expression(expression, time, out, ret_error);
                if (r < 0)
                        return r;
                p = end + 2;
        }
        g_string_append(out, p);
        *ret = g_strdup(out->str);
        return 0;
}

/* One more than the highest number between `before` and `after` in the names. */
static uint64_t next_number(const char *before, const char *after, const GPtrArray *snapshots) {
        uint64_t next = 0;

        for (guint i = 0; i < snapshots->len; i++) {
                const char *name = snapshot_get_name(snapshots->pdata[i]);
                g_autofree char *digits = NULL;
                guint64 n;

                if (!g_str_has_prefix(name, before) || !g_str_has_suffix(name, after) ||
                    strlen(name) <= strlen(before) + strlen(after))
                        continue;
                digits = g_strndup(name + strlen(before),
                                   strlen(name) - strlen(before) - strlen(after));
                if (g_ascii_string_to_unsigned(digits, 10, 0, UINT64_MAX - 1, &n, NULL))
                        next = MAX(next, n + 1);
        }
        return next;
}

static char *name_with_number(const char *text, const char *place, const GPtrArray *snapshots) {
        g_autofree char *before = g_strndup(text, (gsize) (place - text));
        const char *after = place + 2;

        return g_strdup_printf("%s%" G_GUINT64_FORMAT "%s", before,
                               next_number(before, after, snapshots), after);
}

int snapshot_pattern_apply(const char *pattern, const GPtrArray *snapshots, uint64_t now,
                           char **ret, Error *ret_error) {
        g_autofree char *text = NULL, *name = NULL;
        const char *place;
        int r;

        r = expand_dates(pattern, now, &text, ret_error);
        if (r < 0)
                return r;
        place = strstr(text, "%d");
        if (place)
                name = name_with_number(text, place, snapshots);
        else if (!snapshots_find(snapshots, text))
                name = g_strdup(text);
        else {
                g_autofree char *before = g_strconcat(text, "-", NULL);

                name = g_strdup_printf("%s%" G_GUINT64_FORMAT, before,
                                       next_number(before, "", snapshots));
        }
        r = name_check(NAME_SNAPSHOT, name, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "The pattern \"%.80s\"", pattern);
                return r;
        }
        *ret = TAKE_PTR(name);
        return 0;
}

int snapshot_pattern_check(const char *pattern, Error *ret_error) {
        g_autoptr(GPtrArray) none = g_ptr_array_new();
        g_autofree char *unused = NULL;
        int r;

        if (!*pattern)
                return 0;
        r = snapshot_pattern_apply(pattern, none, 0, &unused, ret_error);
        if (r < 0 && ret_error)
                ret_error->code = ERROR_INVALID_CONFIG; /* a bad name is a bad value here */
        return r < 0 ? -error_code_to_errno(ERROR_INVALID_CONFIG) : 0;
}
