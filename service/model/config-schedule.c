/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/name.h"

/* Values that say when snapshots are made, how they are called and how long they are kept. */

static bool number_is_within(const char *text, size_t length, unsigned min, unsigned max) {
        g_autofree char *number = g_strndup(text, length);
        guint64 unused;

        return g_ascii_string_to_unsigned(number, 10, min, max, &unused, NULL);
}

/* "*", "5", "1-5", with or without "/STEP". */
static bool cron_item_is_valid(const char *item, unsigned min, unsigned max) {
        size_t n = strcspn(item, "/"), dash;

        if (item[n] == '/' && !number_is_within(item + n + 1, strlen(item + n + 1), 1, max))
                return false;
        if (n == 1 && item[0] == '*')
                return true;
        dash = strcspn(item, "-");
        if (dash >= n)
                return number_is_within(item, n, min, max);
        return number_is_within(item, dash, min, max) &&
               number_is_within(item + dash + 1, n - dash - 1, min, max) &&
               g_ascii_strtoull(item, NULL, 10) <= g_ascii_strtoull(item + dash + 1, NULL, 10);
}

static bool cron_is_valid(const char *value) {
        static const struct {
                unsigned min, max;
        } fields[] = { { 0, 59 }, { 0, 23 }, { 1, 31 }, { 1, 12 }, { 0, 7 } };
        g_auto(GStrv) words = g_strsplit(value, " ", -1);

        if (g_strv_length(words) != G_N_ELEMENTS(fields))
                return false;
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                g_auto(GStrv) items = g_strsplit(words[i], ",", -1);

                if (!items[0])
                        return false;
                for (char **item = items; *item; item++)
                        if (!cron_item_is_valid(*item, fields[i].min, fields[i].max))
                                return false;
        }
        return true;
}

static bool names_are_valid(const char *value) {
        static const char *const words[] = {
                "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@annually", "@yearly",
                "@startup", "@never", NULL,
        };
        g_auto(GStrv) names = g_strsplit(value, ",", -1);

        for (char **name = names; *name; name++)
                if (!g_strv_contains(words, g_strstrip(*name)))
                        return false;
        return names[0] != NULL;
}

int config_check_schedule(const char *value, Error *ret_error) {
        if (value[0] == '@' ? !names_are_valid(value) : !cron_is_valid(value))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is neither a line of cron's (minute, hour, day, month, "
                                 "day of the week) nor a list of @hourly, @daily, @midnight, "
                                 "@weekly, @monthly, @annually, @yearly, @startup, @never", value);
        return 0;
}

int config_check_expiry(const char *value, Error *ret_error) {
        static const char units[] = "SMHdwmy";
        g_auto(GStrv) words = g_strsplit(value, " ", -1);
        bool seen[sizeof(units)] = { false }, ok = words[0] != NULL;

        for (char **word = words; ok && *word; word++) {
                size_t n = strlen(*word);
                const char *unit = n > 1 ? strchr(units, (*word)[n - 1]) : NULL;

                ok = unit && !seen[unit - units] &&
                     number_is_within(*word, n - 1, 0, G_MAXINT32);
                if (ok)
                        seen[unit - units] = true;
        }
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no time such as \"2w 3d\": numbers with S, M, H, d, w, "
                                 "m or y, each once", value);
        return 0;
}

int config_check_pattern(const char *value, Error *ret_error) {
        /* What is put in for %d and {{ }} is checked when the name is made. */
        if (!*value || strlen(value) > 255 || strchr(value, '/'))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no pattern for names such as \"snap%%d\"", value);
        return config_check_line(value, ret_error);
}
