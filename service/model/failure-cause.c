/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/failure-cause.h"

#include <stdbool.h>
#include <string.h>

#include <glib.h>

#define CAUSE_MAX 300

/* "lxc NAME TIME ERROR    CATEGORY - FILE:FUNCTION:LINE - TEXT" */
static const char *error_text(const char *line) {
        const char *p = strstr(line, " ERROR ");

        for (int i = 0; p && i < 2; i++) {
                p = strstr(p, " - ");
                if (p)
                        p += strlen(" - ");
        }
        return p;
}

/* liblxc's own words on what follows from a failure elsewhere, with no cause in them. */
static bool is_consequence(const char *text) {
        static const char *const words[] = {
                "An error occurred in another process",
                "Received container state",
                "Failed to spawn container",
        };

        for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
                if (strstr(text, words[i]))
                        return true;
        return false;
}

/* "No such file or directory - Failed to open x" reads better the other way round. */
static char *turn_round(const char *text) {
        const char *dash = strstr(text, " - ");
        g_autofree char *reason = NULL;

        if (!dash)
                return g_strdup(text);
        for (int errnum = 1; errnum < 134; errnum++)
                if (strncmp(text, g_strerror(errnum), (size_t) (dash - text)) == 0 &&
                    strlen(g_strerror(errnum)) == (size_t) (dash - text)) {
                        reason = g_strndup(text, (gsize) (dash - text));
                        return g_strdup_printf("%s: %s", dash + strlen(" - "), reason);
                }
        return g_strdup(text);
}

/* The log holds paths that the container chose. */
static char *clean(char *text) {
        char *valid = g_utf8_make_valid(text, MIN((gssize) strlen(text), CAUSE_MAX));

        g_free(text);
        for (char *p = valid; *p; p = g_utf8_next_char(p))
                if (g_ascii_iscntrl(*p))
                        *p = '?';
        g_strchomp(valid);
        if (g_str_has_suffix(valid, "."))
                valid[strlen(valid) - 1] = '\0';
        return valid;
}

char *failure_cause_from_console(const char *text) {
        g_auto(GStrv) lines = g_strsplit_set(text ?: "", "\r\n", -1);
        guint n = g_strv_length(lines);

        while (n > 0 && *g_strstrip(lines[n - 1]) == '\0')
                n--;
        return n > 0 ? clean(g_strdup(lines[n - 1])) : NULL;
}

char *failure_cause_from_log(const char *log) {
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

        for (char **line = lines; *line; line++) {
                const char *text = error_text(*line);

                if (text && !is_consequence(text))
                        return clean(turn_round(text));
        }
        return NULL;
}
