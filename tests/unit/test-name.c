/* SPDX-License-Identifier: Apache-2.0 */

/* Names: what passes is a file name, a path element and an argument, and nothing else. */

#include <string.h>

#include "service/model/name.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

/* None of these is the name of anything, whatever it is for. */
static const char *const never[] = {
        "", " ", ".", "..", "../x", "/", "a b", "a\n", "a\tb", "\x1b[31m", "a\"b", "a\\b", "-rf",
        "--help", ".hidden", "\xc3\xa4", "\xff", "a\x7f", "a/", "/a",
};

TEST(never_a_name) {
        for (NameKind kind = 0; kind < _NAME_KIND_MAX; kind++)
                for (size_t i = 0; i < ELEMENTSOF(never); i++) {
                        g_auto(Error) error = ERROR_INIT;

                        if (name_check(kind, never[i], &error) >= 0)
                                g_error("\"%s\" passed as kind %d", never[i], kind);
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_NAME);
                        /* It comes back to a terminal. */
                        for (const char *p = error.message; *p; p++)
                                g_assert_true(g_ascii_isprint(*p));
                }
}

TEST(rules_of_each_kind) {
        static const struct {
                NameKind kind;
                const char *name;
                bool ok;
        } cases[] = {
                { NAME_CONTAINER, "a", true },      { NAME_CONTAINER, "web-1", true },
                { NAME_CONTAINER, "1web", false },  { NAME_CONTAINER, "web-", false },
                { NAME_CONTAINER, "we_b", false },  { NAME_CONTAINER, "we.b", false },
                { NAME_PROFILE, "1-a_b.c", true },  { NAME_PROFILE, "a/b", false },
                { NAME_NETWORK, "br0", true },      { NAME_NETWORK, "b", false },
                { NAME_NETWORK, "averyveryverylong", false },
                { NAME_POOL, "default", true },     { NAME_DEVICE, "eth0", true },
                { NAME_SNAPSHOT, "snap0", true },   { NAME_SNAPSHOT, "a/b", false },
                { NAME_INTERFACE, "e", true },      { NAME_INTERFACE, "sixteen-letters-", false },
                { NAME_ALIAS, "debian/12", true },  { NAME_ALIAS, "a:b", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if ((name_check(cases[i].kind, cases[i].name, NULL) >= 0) != cases[i].ok)
                        g_error("\"%s\"", cases[i].name);
}

TEST(lengths) {
        static const struct {
                NameKind kind;
                size_t max;
        } cases[] = {
                { NAME_CONTAINER, 63 }, { NAME_PROFILE, 63 },  { NAME_NETWORK, 15 },
                { NAME_POOL, 63 },      { NAME_DEVICE, 63 },   { NAME_SNAPSHOT, 63 },
                { NAME_INTERFACE, 15 }, { NAME_ALIAS, 128 },   { NAME_VOLUME, 63 },
                { NAME_IMAGE_SERVER, 63 },
        };

        G_STATIC_ASSERT(ELEMENTSOF(cases) == _NAME_KIND_MAX);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *fits = g_strnfill(cases[i].max, 'a');
                g_autofree char *over = g_strnfill(cases[i].max + 1, 'a');

                g_assert_cmpint(name_check(cases[i].kind, fits, NULL), ==, 0);
                g_assert_cmpint(name_check(cases[i].kind, over, NULL), <, 0);
        }
}

TEST(made_up_names_are_names) {
        for (int i = 0; i < 1000; i++) {
                g_autofree char *name = name_generate();

                g_assert_cmpint(name_check(NAME_CONTAINER, name, NULL), ==, 0);
        }
}

TEST(fingerprints) {
        g_autofree char *whole = g_strnfill(64, 'a'), *over = g_strnfill(65, 'a');

        g_assert_true(name_is_fingerprint(whole));
        g_assert_false(name_is_fingerprint(over));
        g_assert_false(name_is_fingerprint_prefix(over));
        g_assert_false(name_is_fingerprint("abc"));
        for (size_t i = 0; i < 64; i++) {
                g_autofree char *other = g_strdup(whole);

                other[i] = "g/.A -\n\xff"[i % 8];
                g_assert_false(name_is_fingerprint(other));
        }
        g_assert_true(name_is_fingerprint_prefix("abc"));
        g_assert_false(name_is_fingerprint_prefix(""));
        g_assert_false(name_is_fingerprint_prefix("ABC"));
        g_assert_false(name_is_fingerprint_prefix("../a"));
}

TEST_MAIN()
