/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/format.h"
#include "service/util/cleanup.h"

int ask(const char *question, const char *preset, char **ret, Error *ret_error) {
        g_autofree char *line = NULL;
        size_t size = 0;
        ssize_t n;

        if (preset)
                printf("%s [default=%s]: ", question, preset);
        else
                printf("%s: ", question);
        fflush(stdout);
        n = getline(&line, &size, stdin);
        if (n < 0) {
                putchar('\n');
                return error_set(ret_error, ERROR_CANCELLED,
                                 "The answers ended before the questions did; nothing was changed");
        }
        (void) g_strstrip(line);
        if (!isatty(STDIN_FILENO))
                printf("%s\n", line);
        *ret = g_strdup(*line || !preset ? line : preset);
        return 0;
}

int ask_boolean(const char *question, bool preset, bool *ret, Error *ret_error) {
        g_autofree char *full = g_strdup_printf("%s (yes/no)", question);

        for (;;) {
                g_autofree char *answer = NULL;
                int r = ask(full, preset ? "yes" : "no", &answer, ret_error);

                if (r < 0)
                        return r;
                if (parse_boolean(answer, ret) >= 0)
                        return 0;
                if (g_ascii_strcasecmp(answer, "y") == 0 || g_ascii_strcasecmp(answer, "n") == 0) {
                        *ret = g_ascii_tolower(*answer) == 'y';
                        return 0;
                }
                printf("Please answer yes or no.\n");
        }
}

int ask_checked(const char *question, const char *preset, CheckFunc check, const void *data,
                char **ret, Error *ret_error) {
        for (;;) {
                g_autofree char *answer = NULL;
                const char *why;
                int r = ask(question, preset, &answer, ret_error);

                if (r < 0)
                        return r;
                why = check(answer, data);
                if (!why) {
                        *ret = TAKE_PTR(answer);
                        return 0;
                }
                printf("%s\n", why);
        }
}
