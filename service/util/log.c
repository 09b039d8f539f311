/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef enum LogTarget {
        LOG_TO_CONSOLE, /* standard error, as it is */
        LOG_TO_JOURNAL, /* standard error, with priorities for the journal */
        LOG_TO_SYSLOG,
} LogTarget;

static int log_max_level = LOG_INFO;
static LogTarget log_target;

/* A bus that starts us without systemd gives us /dev/null for standard error. */
static bool stderr_is_null(void) {
        struct stat st;

        return fstat(STDERR_FILENO, &st) < 0 ||
               (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

void log_open(void) {
        const char *debug = secure_getenv("BERTH_DEBUG");

        if (secure_getenv("JOURNAL_STREAM"))
                log_target = LOG_TO_JOURNAL;
        else if (stderr_is_null()) {
                log_target = LOG_TO_SYSLOG;
                openlog(NULL, LOG_PID | LOG_CONS, LOG_DAEMON);
        }
        if (debug && g_str_equal(debug, "1"))
                log_max_level = LOG_DEBUG;
}

void log_set_max_level(int level) {
        log_max_level = level;
}

int log_get_max_level(void) {
        return log_max_level;
}

const char *log_get_target(void) {
        switch (log_target) {
        case LOG_TO_CONSOLE:
                return "console";
        case LOG_TO_JOURNAL:
                return "journal";
        case LOG_TO_SYSLOG:
                return "syslog";
        }
        g_assert_not_reached();
}

/* Names, errors and the words of workers are in messages: none of them may begin a line of its own
 * or speak to the terminal that shows the log. */
static void hide_controls(char *text) {
        for (unsigned char *p = (unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        *p = '?';
                else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
                        p[0] = p[1] = '?'; /* U+0080 to U+009F in UTF-8 */
}

void log_write(int level, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        if (level > log_max_level)
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        hide_controls(text);

        switch (log_target) {
        case LOG_TO_CONSOLE:
                fprintf(stderr, "%s\n", text);
                break;
        case LOG_TO_JOURNAL:
                fprintf(stderr, "<%d>%s\n", level, text);
                break;
        case LOG_TO_SYSLOG:
                syslog(level, "%s", text);
                break;
        }
}
