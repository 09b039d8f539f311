/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/error.h"

#include <string.h>

#include "tests/unit/test.h"

TEST(every_code_has_a_name_that_leads_back) {
        for (int code = 0; code < _ERROR_MAX; code++) {
                const char *name = error_code_to_name(code);

                g_assert_nonnull(name);
                g_assert_cmpint(error_code_from_name(name), ==, code);
                g_assert_cmpint(error_code_to_errno(code), >, 0);
                g_assert_cmpint(error_code_to_exit_status(code), >, 0);
        }
        g_assert_cmpint(error_code_from_name("org.berth1.Error.Nonsense"), ==, _ERROR_INVALID);
}

TEST(the_first_error_wins) {
        g_auto(Error) e = ERROR_INIT;

        g_assert_cmpint(error_set(&e, ERROR_BUSY, "%s is busy", "c1"), ==, -EBUSY);
        g_assert_cmpint(error_set_errno(&e, ENOSPC, "Cannot write"), ==, -ENOSPC);
        g_assert_cmpint(e.code, ==, ERROR_BUSY);
        g_assert_cmpstr(e.message, ==, "c1 is busy");
        error_prefix(&e, "Start");
        g_assert_cmpstr(e.message, ==, "Start: c1 is busy");
}

TEST(an_errno_becomes_a_code_and_a_text) {
        g_auto(Error) e = ERROR_INIT;

        g_assert_cmpint(error_set_errno(&e, ENOSPC, "Cannot write %s", "x"), ==, -ENOSPC);
        g_assert_cmpint(e.code, ==, ERROR_NO_SPACE);
        g_assert_cmpstr(e.message, ==, "Cannot write x: No space left on device");
}

TEST(messages_have_an_end) {
        g_autofree char *text = g_strnfill(3 * ERROR_MESSAGE_MAX, 'x');
        g_auto(Error) e = ERROR_INIT;

        (void) error_set(&e, ERROR_FAILED, "%s", text);
        g_assert_cmpuint(strlen(e.message), ==, ERROR_MESSAGE_MAX);
        g_assert_true(g_str_has_suffix(e.message, "xx..."));
        error_clear(&e);
        (void) error_set_errno(&e, ENOSPC, "%s", text);
        g_assert_cmpuint(strlen(e.message), ==, ERROR_MESSAGE_MAX);
}

TEST(an_error_moves_once) {
        g_auto(Error) from = ERROR_INIT, to = ERROR_INIT;

        (void) error_set(&from, ERROR_IN_USE, "used");
        error_move(&to, &from);
        g_assert_null(from.message);
        g_assert_cmpint(to.code, ==, ERROR_IN_USE);
}

TEST(messages_are_utf8_whatever_they_are_made_of) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "abc\u00e9", "abc\u00e9!" },
                { "abcd\u00e9", "abcd\ufffd!" },
                { "abc\u20ac", "abc\ufffd\ufffd!" },
                { "ab\xff", "ab\ufffd!" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Error) e = ERROR_INIT;
                g_autofree char *prefixed = g_strdup_printf("p\ufffd: %s", cases[i].message);

                (void) error_set(&e, ERROR_FAILED, "%.5s!", cases[i].text);
                g_assert_cmpstr(e.message, ==, cases[i].message);
                error_prefix(&e, "%s", "p\x80");
                g_assert_cmpstr(e.message, ==, prefixed);
        }
}

TEST_MAIN()
