/* SPDX-License-Identifier: Apache-2.0 */
#include "client/format.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "service/util/cleanup.h"

static char *format_escape(const char *text, const char *keep) {
        g_autoptr(GString) s = g_string_new(NULL);

        for (const char *p = text; *p;) {
                gunichar c = g_utf8_get_char_validated(p, -1);

                if (c == (gunichar) -1 || c == (gunichar) -2) {
                        g_string_append_printf(s, "\\x%02x", (unsigned char) *p);
                        p++;
                        continue;
                }
                if (g_unichar_isprint(c) || (c < 0x80 && strchr(keep, (int) c)))
                        g_string_append_unichar(s, c);
                else if (c <= 0xff)
                        g_string_append_printf(s, "\\x%02x", c);
                else
                        g_string_append_printf(s, "\\u%04x", c);
                p = g_utf8_next_char(p);
        }
        return g_string_free(g_steal_pointer(&s), FALSE);
}

char *format_printable(const char *text) {
        return format_escape(text, "");
}

char *format_printable_lines(const char *text) {
        return format_escape(text, "\n\t");
}

static char *format_units(uint64_t bytes, unsigned base, const char *const *units, size_t n_units) {
        double value = (double) bytes;
        size_t i = 0;

        if (bytes < base)
                return g_strdup_printf("%" G_GUINT64_FORMAT "B", bytes);
        for (; value >= base && i < n_units; i++)
                value /= base;
        return g_strdup_printf("%.2f%s", value, units[i - 1]);
}

char *format_size(uint64_t bytes) {
        static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };

        return format_units(bytes, 1000, units, ELEMENTSOF(units));
}

char *format_size_binary(uint64_t bytes) {
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

        return format_units(bytes, 1024, units, ELEMENTSOF(units));
}

char *format_time(uint64_t usec) {
        time_t t = (time_t) (usec / G_USEC_PER_SEC);
        char buffer[64];
        struct tm tm;

        if (usec == 0 || !localtime_r(&t, &tm) ||
            strftime(buffer, sizeof(buffer), "%Y/%m/%d %H:%M %Z", &tm) == 0)
                return g_strdup("");
        return g_strdup(buffer);
}

char *format_time_rfc3339(uint64_t usec) {
        time_t t = (time_t) (usec / G_USEC_PER_SEC);
        char buffer[64];
        struct tm tm;

        if (usec == 0 || !gmtime_r(&t, &tm) ||
            strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return g_strdup("0001-01-01T00:00:00Z");
        if (usec % G_USEC_PER_SEC == 0)
                return g_strdup_printf("%sZ", buffer);
        return g_strdup_printf("%s.%06uZ", buffer, (unsigned) (usec % G_USEC_PER_SEC));
}

int parse_time_rfc3339(const char *text, uint64_t *ret_usec) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = *text ? g_date_time_new_from_iso8601(text, utc) : NULL;

        if (*text && !time)
                return -EINVAL;
        *ret_usec = 0;
        if (time && g_date_time_to_unix(time) > 0)
                *ret_usec = (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC +
                            (uint64_t) g_date_time_get_microsecond(time);
        return 0;
}

char *format_join(const GPtrArray *strings, const char *separator) {
        g_autoptr(GString) s = g_string_new(NULL);

        for (size_t i = 0; i < strings->len; i++) {
                if (i > 0)
                        g_string_append(s, separator);
                g_string_append(s, g_ptr_array_index(strings, i));
        }
        return g_string_free(g_steal_pointer(&s), FALSE);
}

static int string_compare(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void format_sort(GPtrArray *strings) {
        g_ptr_array_sort(strings, string_compare);
}

int parse_boolean(const char *s, bool *ret) {
        static const char *const yes[] = { "true", "on", "yes", "1" };
        static const char *const no[] = { "false", "off", "no", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (g_ascii_strcasecmp(s, yes[i]) != 0 && g_ascii_strcasecmp(s, no[i]) != 0)
                        continue;
                *ret = g_ascii_strcasecmp(s, yes[i]) == 0;
                return 0;
        }
        return -EINVAL;
}

int parse_number(const char *s, uint64_t *ret) {
        guint64 value;

        if (!g_ascii_string_to_unsigned(s, 10, 0, G_MAXUINT64, &value, NULL))
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_assignment(const char *s, char **ret_key, char **ret_value) {
        const char *equals = strchr(s, '=');

        if (!equals || equals == s)
                return -EINVAL;
        *ret_key = g_strndup(s, equals - s);
        *ret_value = g_strdup(equals + 1);
        return 0;
}
