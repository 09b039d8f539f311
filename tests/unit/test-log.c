/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/unit/test.h"

/* What log_write() leaves on standard error. */
static char *logged(int level, const char *text) {
        _cleanup_close_ int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        _cleanup_close_ int fd = memfd_create("log", MFD_CLOEXEC);
        char *out = NULL;

        g_assert_cmpint(dup2(fd, STDERR_FILENO), >=, 0);
        log_write(level, "%s", text);
        g_assert_cmpint(dup2(saved, STDERR_FILENO), >=, 0);
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        g_assert_cmpint(fd_read_text(fd, 4096, &out), ==, 0);
        return out;
}

TEST(a_message_is_one_line_and_harmless) {
        static const struct {
                const char *text, *line;
        } cases[] = {
                { "plain", "plain\n" },
                { "na\u00efve \u20ac %s", "na\u00efve \u20ac %s\n" },
                { "x\nerror: forged", "x?error: forged\n" },
                { "\x1b[2Jx\r\ty\x7f", "?[2Jx??y?\n" },
                { "x\xc2\x9b" "2J", "x??2J\n" },
                { "\xc2\xa0", "\xc2\xa0\n" },
                { "cut\xc2", "cut\xc2\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *line = logged(LOG_ERR, cases[i].text);

                g_assert_cmpstr(line, ==, cases[i].line);
        }
}

TEST(levels_below_the_wanted_one_are_silent) {
        g_autofree char *debug = logged(LOG_DEBUG, "x"), *warning = NULL;

        g_assert_cmpstr(debug, ==, "");
        log_set_max_level(LOG_ERR);
        warning = logged(LOG_WARNING, "x");
        g_assert_cmpstr(warning, ==, "");
        log_set_max_level(LOG_INFO);
}

TEST_MAIN()
