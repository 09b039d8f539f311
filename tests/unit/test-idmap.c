/* SPDX-License-Identifier: Apache-2.0 */

/* Ranges of ids: what /etc/subuid gives, and which part of it the next container gets; and the maps
 * that come of them. */

#include <string.h>

#include "service/model/idmap.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static GArray *ranges_of(const IdRange *ranges, size_t n) {
        GArray *array = g_array_new(FALSE, FALSE, sizeof(IdRange));

        g_array_append_vals(array, ranges, (guint) n);
        return array;
}

static void assert_ranges(GArray *is, const IdRange *wanted, size_t n) {
        g_assert_cmpuint(is->len, ==, n);
        for (size_t i = 0; i < n; i++) {
                g_assert_cmpuint(g_array_index(is, IdRange, i).base, ==, wanted[i].base);
                g_assert_cmpuint(g_array_index(is, IdRange, i).size, ==, wanted[i].size);
        }
}

TEST(lines_of_subuid) {
        static const struct {
                const char *text;
                IdRange ranges[3];
                size_t n;
        } cases[] = {
                { "", {}, 0 },
                { "alice:100000:65536\n", {}, 0 },
                { "root:100000:65536\n", { { 100000, 65536 } }, 1 },
                { "0:100000:65536", { { 100000, 65536 } }, 1 },
                { "root:1:2\nalice:3:4\nroot:5:6\n", { { 1, 2 }, { 5, 6 } }, 2 },
                /* Not a range, not even nearly. */
                { "root:100000\nroot:x:1\nroot:1:\nroot:1:2:3\nroot: 1:2\nroot:-1:2", {}, 0 },
                /* The host's root, nothing at all, and what runs over the end. */
                { "root:0:65536\nroot:5:0\nroot:4294967295:1\nroot:4294901760:65536", {}, 0 },
                { "root:4294901760:65535", { { 4294901760U, 65535 } }, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GArray) ranges = id_ranges_parse_subid(cases[i].text);

                assert_ranges(ranges, cases[i].ranges, cases[i].n);
        }
}

TEST(both_files_must_give_it) {
        static const IdRange uids[] = { { 1000, 100 }, { 5000, 10 } };
        static const IdRange gids[] = { { 1050, 100 }, { 5010, 10 } };
        static const IdRange both_want[] = { { 1050, 50 } };
        static const IdRange fallback[] = { { ID_RANGE_DEFAULT_BASE, ID_RANGE_DEFAULT_SIZE } };
        g_autoptr(GArray) u = ranges_of(uids, ELEMENTSOF(uids));
        g_autoptr(GArray) g = ranges_of(gids, ELEMENTSOF(gids));
        g_autoptr(GArray) none = ranges_of(NULL, 0);
        g_autoptr(GArray) both = id_ranges_intersect(u, g), one = id_ranges_intersect(u, none);
        g_autoptr(GArray) neither = id_ranges_intersect(none, none);

        assert_ranges(both, both_want, ELEMENTSOF(both_want));
        assert_ranges(one, NULL, 0);
        assert_ranges(neither, fallback, ELEMENTSOF(fallback));
}

/* --- who gets which --- */

#define K 65536U
#define FIRST 100000U /* of four times K */

/* With these in use, that wish ends so. `error` -1: with a range that begins at `base`. */
static const struct {
        IdUse used[4];
        IdWish wish;
        uint32_t base;
        int error;
} choices[] = {
        /* The first K are spared for those that share, */
        { {}, { 0, K, false }, FIRST + K, -1 },
        { { { { FIRST + K, K }, false, "a" } }, { 0, K, false }, FIRST + 2 * K, -1 },
        { { { { FIRST + 2 * K, K }, false, "a" } }, { 0, K, false }, FIRST + K, -1 },
        /* as long as there are others. */
        { { { { FIRST + K, 3 * K }, false, "a" } }, { 0, K, false }, FIRST, -1 },
        { { { { FIRST, 4 * K }, false, "a" } }, { 0, K, false }, 0, ERROR_LIMITS_EXCEEDED },
        { { { { FIRST + K, 3 * K }, false, "a" }, { { FIRST, K }, true, "b" } },
          { 0, K, false }, 0, ERROR_LIMITS_EXCEEDED },
        /* A foot in the door is enough. */
        { { { { FIRST + 2 * K - 1, 1 }, false, "a" } }, { 0, K, false }, FIRST + 2 * K, -1 },
        /* Bigger ones. */
        { {}, { 0, 3 * K, false }, FIRST + K, -1 },
        { {}, { 0, 4 * K, false }, FIRST, -1 },
        { {}, { 0, 4 * K + 1, false }, 0, ERROR_LIMITS_EXCEEDED },
        { {}, { 0, UINT32_MAX, false }, 0, ERROR_LIMITS_EXCEEDED },
        { { { { FIRST + 2 * K, K }, false, "a" } }, { 0, 2 * K, false }, FIRST, -1 },
        /* Shared: the first, by as many as like, but for those that do not share. */
        { {}, { 0, K, true }, FIRST, -1 },
        { { { { FIRST, K }, true, "a" } }, { 0, K, true }, FIRST, -1 },
        { { { { FIRST, K }, true, "a" } }, { 0, 2 * K, true }, FIRST, -1 },
        { { { { FIRST, K }, false, "a" } }, { 0, K, true }, 0, ERROR_IN_USE },
        { { { { FIRST + K, K }, false, "a" } }, { 0, 2 * K, true }, 0, ERROR_IN_USE },
        { {}, { 0, 5 * K, true }, 0, ERROR_INVALID_CONFIG },
        /* Where the administrator says. */
        { {}, { FIRST + 7, K, false }, FIRST + 7, -1 },
        { {}, { FIRST, K, false }, FIRST, -1 },
        { { { { FIRST, K }, true, "a" } }, { FIRST, K, false }, 0, ERROR_IN_USE },
        { { { { FIRST + K, K }, true, "a" } }, { FIRST + K, K, true }, FIRST + K, -1 },
        { {}, { FIRST - 1, K, false }, 0, ERROR_INVALID_CONFIG },
        { {}, { FIRST + 3 * K + 1, K, false }, 0, ERROR_INVALID_CONFIG },
        { {}, { UINT32_MAX, K, false }, 0, ERROR_INVALID_CONFIG },
        { {}, { 1, UINT32_MAX, false }, 0, ERROR_INVALID_CONFIG },
};

TEST(the_first_gap_is_taken) {
        static const IdRange allowed_range = { FIRST, 4 * K };
        g_autoptr(GArray) allowed = ranges_of(&allowed_range, 1);

        for (size_t i = 0; i < ELEMENTSOF(choices); i++) {
                g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(IdUse));
                g_auto(Error) error = ERROR_INIT;
                IdUse use = { .shared = choices[i].wish.shared };
                int r;

                for (size_t j = 0; j < 4 && choices[i].used[j].range.size > 0; j++)
                        g_array_append_val(used, choices[i].used[j]);
                r = id_range_choose(&choices[i].wish, allowed, used, &use.range, &error);
                if ((r < 0 ? (int) error.code : -1) != choices[i].error ||
                    use.range.base != choices[i].base)
                        g_error("case %zu: %d, %u, %s", i, r, use.range.base, error.message);
                if (r < 0)
                        continue;
                g_assert_cmpuint(use.range.size, ==, choices[i].wish.size);
                g_assert_true(id_use_fits(&use, &choices[i].wish, allowed, used));
        }
}

TEST(nothing_is_left_where_nothing_is_given) {
        static const IdWish wishes[] = { { 0, K, false }, { 0, K, true } };
        g_autoptr(GArray) none = ranges_of(NULL, 0);

        for (size_t i = 0; i < ELEMENTSOF(wishes); i++) {
                g_auto(Error) error = ERROR_INIT;
                IdRange range;

                g_assert_cmpint(id_range_choose(&wishes[i], none, none, &range, &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_LIMITS_EXCEEDED);
        }
}

/* Whoever has them could look into what reads archives. */
TEST(the_service_keeps_some_itself) {
        static const IdRange around = { ID_RANGE_JAIL_BASE - 2 * K, 5 * K };
        static const IdWish wish = { 0, 2 * K, false };
        static const IdWish at = { ID_RANGE_JAIL_BASE + K - 1, K, false };
        g_autoptr(GArray) allowed = ranges_of(&around, 1), none = ranges_of(NULL, 0);
        g_auto(Error) error = ERROR_INIT;
        IdRange range;

        g_assert_cmpint(id_range_choose(&wish, allowed, none, &range, &error), ==, 0);
        g_assert_cmpuint(range.base, ==, ID_RANGE_JAIL_BASE + K);
        g_assert_cmpint(id_range_choose(&at, allowed, none, &range, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_IN_USE);
}

TEST(what_fits_stays) {
        static const IdRange allowed_range = { FIRST, 4 * K };
        static const IdUse other = { { FIRST + 3 * K, K }, false, "other" };
        static const struct {
                IdUse use;
                IdWish wish;
                bool fits;
        } cases[] = {
                { { { FIRST + K, K }, false, "" }, { 0, K, false }, true },
                { { { FIRST + K, K }, false, "" }, { FIRST + K, K, false }, true },
                { { { FIRST + K, K }, false, "" }, { FIRST, K, false }, false },
                { { { FIRST + K, K }, false, "" }, { 0, 2 * K, false }, false },
                { { { FIRST + K, K }, false, "" }, { 0, K, true }, false },
                { { { FIRST, K }, true, "" }, { 0, K, false }, false },
                /* Not root's any more, another's, none at all. */
                { { { FIRST - 1, K }, false, "" }, { 0, K, false }, false },
                { { { FIRST + 3 * K - 1, K }, false, "" }, { 0, K, false }, false },
                { { { 0, 0 }, false, "" }, { 0, 0, false }, false },
                { { { 0, K }, false, "" }, { 0, K, false }, false },
        };
        g_autoptr(GArray) allowed = ranges_of(&allowed_range, 1);
        g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(IdUse));

        g_array_append_val(used, other);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (id_use_fits(&cases[i].use, &cases[i].wish, allowed, used) != cases[i].fits)
                        g_error("case %zu", i);
}

/* --- maps --- */

static const IdRange plain = { 1000000, K };

static GArray *allowed_for_holes(void) {
        return ranges_of(&plain, 1);
}

/* Which of the lines are wrong, and what for. */
TEST(lines_of_raw_idmap) {
        static const struct {
                const char *value;
                bool reads, can_be;
        } cases[] = {
                { "both 1000 1000", true, true },
                { "\nuid 1000-1009 0-9\ngid 100 100\n", true, true },
                { "uid 5 5\ngid 5 5", true, true },
                { "", true, true },
                { "both 1000 1000\nuid 1001 1000", false, false }, /* the same id inside */
                { "both 1000 1000\nuid 1000 1001", false, false }, /* the same id of the host */
                { "both 1000-1009 0-8", false, false },
                { "both 1009-1000 0-9", false, false },
                { "both 1000", false, false },
                { "both 1000 1000 1000", false, false },
                { "both 1000  1000", false, false },
                { "pid 1000 1000", false, false },
                { "both -1 0", false, false },
                { "both 01 0", false, false },
                { "both 4294967295 0", false, false },
                { "both 4294967294 4294967294", true, true },
                { "both 0 0", false, false },
                { "uid 0-10 100-110", false, false },
                { "gid 1000 0", true, true },
                { "both 70000 70000", true, true }, /* beyond the range */
                /* What containers have is not somebody's of the host. */
                { "both 1000000 5", true, false },
                { "uid 999999-1000000 5-6", true, false },
                { "both 1065535 70000", true, false },
                { "both 1065536 70000", true, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GArray) allowed = allowed_for_holes();
                g_autoptr(IdMap) map = idmap_new_range(plain);
                g_auto(Error) error = ERROR_INIT;

                if ((idmap_check_raw(cases[i].value, NULL) >= 0) != cases[i].reads ||
                    (idmap_punch(map, cases[i].value, allowed, &error) >= 0) != cases[i].can_be)
                        g_error("\"%s\": %s", cases[i].value, error.message);
        }
}

TEST(holes) {
        static const struct {
                const char *raw, *users, *groups;
        } cases[] = {
                { "", "0 1000000 65536\n", "0 1000000 65536\n" },
                { "both 1000 1000",
                  "0 1000000 1000\n1000 1000 1\n1001 1001001 64535\n",
                  "0 1000000 1000\n1000 1000 1\n1001 1001001 64535\n" },
                { "uid 1000-1001 0-1", "0 1000 2\n2 1000002 65534\n", "0 1000000 65536\n" },
                { "gid 50 65535", "0 1000000 65536\n", "0 1000000 65535\n65535 50 1\n" },
                { "uid 50 70000", "0 1000000 65536\n70000 50 1\n", "0 1000000 65536\n" },
                { "uid 50-59 65530-65539", "0 1000000 65530\n65530 50 10\n",
                  "0 1000000 65536\n" },
                { "uid 1-65536 0-65535", "0 1 65536\n", "0 1000000 65536\n" },
                { "uid 7 5\nuid 6 6", "0 1000000 5\n5 7 1\n6 6 1\n7 1000007 65529\n",
                  "0 1000000 65536\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GArray) allowed = allowed_for_holes();
                g_autoptr(IdMap) map = idmap_new_range(plain);
                g_autofree char *users = NULL, *groups = NULL;

                g_assert_cmpint(idmap_punch(map, cases[i].raw, allowed, NULL), ==, 0);
                users = idmap_to_proc(map, ID_USER);
                groups = idmap_to_proc(map, ID_GROUP);
                g_assert_cmpstr(users, ==, cases[i].users);
                g_assert_cmpstr(groups, ==, cases[i].groups);
        }
}

/* The kernel takes a page. */
TEST(too_many_holes) {
        g_autoptr(GString) raw = g_string_new(NULL);
        g_autoptr(GArray) allowed = allowed_for_holes();
        g_autoptr(IdMap) map = idmap_new_range(plain);
        g_auto(Error) error = ERROR_INIT;

        for (int i = 0; i < 300; i++)
                g_string_append_printf(raw, "both %d %d\n", 1000 + i, 1000 + 2 * i);
        g_assert_cmpint(idmap_check_raw(raw->str, NULL), ==, 0);
        g_assert_cmpint(idmap_punch(map, raw->str, allowed, &error), <, 0);
        g_assert_nonnull(strstr(error.message, "kernel"));
}

TEST(lookups) {
        static const struct {
                IdKind kind;
                uint32_t inside, host;
        } same[] = {
                { ID_USER, 0, 1000000 },       { ID_USER, 999, 1000999 }, { ID_USER, 1000, 1000 },
                { ID_USER, 1001, 1001001 },    { ID_USER, 65535, 1065535 },
                { ID_GROUP, 1000, 1001000 },
        };
        g_autoptr(GArray) allowed = allowed_for_holes();
        g_autoptr(IdMap) map = idmap_new_range(plain), host = idmap_new();
        uint32_t id;

        g_assert_cmpint(idmap_punch(map, "uid 1000 1000", allowed, NULL), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(same); i++) {
                g_assert_true(idmap_to_host(map, same[i].kind, same[i].inside, &id));
                g_assert_cmpuint(id, ==, same[i].host);
                g_assert_true(idmap_to_inside(map, same[i].kind, same[i].host, &id));
                g_assert_cmpuint(id, ==, same[i].inside);
        }
        g_assert_false(idmap_to_host(map, ID_USER, 65536, &id));
        g_assert_false(idmap_to_host(map, ID_USER, UINT32_MAX, &id));
        g_assert_false(idmap_to_inside(map, ID_USER, 0, &id));
        g_assert_false(idmap_to_inside(map, ID_USER, 1001000, &id)); /* what the hole took away */
        g_assert_false(idmap_to_inside(map, ID_GROUP, 1000, &id));
        g_assert_cmpuint(idmap_end(map), ==, K);

        g_assert_true(idmap_is_host(host));
        g_assert_false(idmap_is_host(map));
        g_assert_true(idmap_to_host(host, ID_USER, 0, &id) && id == 0);
        g_assert_true(idmap_to_inside(host, ID_GROUP, 4000000000U, &id) && id == 4000000000U);
        g_assert_false(idmap_to_host(host, ID_USER, UINT32_MAX, &id));
}

TEST(maps_that_cannot_be) {
        static const struct {
                const char *text;
                bool good;
        } cases[] = {
                { "@a(suuu) []", true },
                { "[('u', 0, 1000, 10), ('g', 0, 1000, 10)]", true },
                { "[('u', 5, 2000, 10), ('g', 0, 1000, 10), ('u', 0, 1000, 5)]", true },
                { "[('u', 0, 1, 4294967294), ('g', 0, 1000, 10)]", true },
                { "[('u', 0, 1000, 10)]", false },                                /* no groups */
                { "[('u', 1, 1000, 10), ('g', 0, 1000, 10)]", false },            /* no root */
                { "[('u', 0, 1000, 0), ('g', 0, 1000, 10)]", false },             /* nothing */
                { "[('u', 0, 0, 10), ('g', 0, 1000, 10)]", false },               /* root */
                { "[('u', 0, 1000, 10), ('g', 0, 0, 1)]", false },
                { "[('u', 0, 4294967290, 10), ('g', 0, 1000, 10)]", false },      /* overflow */
                { "[('u', 0, 2, 4294967294), ('g', 0, 1000, 10)]", false },
                { "[('u', 0, 1000, 10), ('u', 9, 2000, 10), ('g', 0, 1000, 10)]", false },
                { "[('u', 0, 1000, 10), ('u', 10, 1009, 10), ('g', 0, 1000, 10)]", false },
                { "[('x', 0, 1000, 10), ('g', 0, 1000, 10)]", false },
                { "[('', 0, 1000, 10), ('g', 0, 1000, 10)]", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) variant = g_variant_ref_sink(g_variant_parse(
                        IDMAP_TYPE, cases[i].text, NULL, NULL, NULL));
                g_autoptr(IdMap) map = NULL;
                g_auto(Error) error = ERROR_INIT;

                if ((idmap_from_variant(variant, &map, &error) >= 0) != cases[i].good)
                        g_error("%s: %s", cases[i].text, error.message);
        }
}

TEST(forms) {
        g_autoptr(GArray) allowed = allowed_for_holes();
        g_autoptr(IdMap) map = idmap_new_range(plain), copy = NULL, host = idmap_new();
        g_autofree char *json = NULL, *none = NULL, *lxc = NULL;
        g_auto(GStrv) lines = NULL, no_lines = idmap_to_lxc(host);

        g_assert_cmpint(idmap_punch(map, "gid 7 0", allowed, NULL), ==, 0);
        lines = idmap_to_lxc(map);
        lxc = g_strjoinv("|", lines);
        g_assert_cmpstr(lxc, ==, "u 0 1000000 65536|g 0 7 1|g 1 1000001 65535");
        json = idmap_to_json(map);
        g_assert_cmpstr(json, ==,
                        "[{\"Isuid\":true,\"Isgid\":false,\"Hostid\":1000000,\"Nsid\":0,"
                        "\"Maprange\":65536},{\"Isuid\":false,\"Isgid\":true,\"Hostid\":7,"
                        "\"Nsid\":0,\"Maprange\":1},{\"Isuid\":false,\"Isgid\":true,"
                        "\"Hostid\":1000001,\"Nsid\":1,\"Maprange\":65535}]");
        none = idmap_to_json(host);
        g_assert_cmpstr(none, ==, "[]");
        g_assert_null(no_lines[0]);
        copy = idmap_copy(map);
        g_assert_true(idmap_equal(map, copy));
        g_assert_false(idmap_equal(map, host));
}

TEST(what_proc_says) {
        static const struct {
                const char *text;
                bool same;
        } cases[] = {
                { "0 7 1\n1 1000001 65535\n", true },
                { "         1    1000001      65535\n         0          7          1\n", true },
                { "0 7 1\n", false },
                { "0 7 1\n1 1000001 65535\n70000 70000 1\n", false },
                { "0 7 1\n1 1000001 65534\n", false },
                { "0 0 4294967295\n", false },
                { "", false },
                { "0 7 1 1\n1 1000001 65535\n", false },
                { "0 7\n1 1000001 65535\n", false },
        };
        g_autoptr(GArray) allowed = allowed_for_holes();
        g_autoptr(IdMap) map = idmap_new_range(plain), host = idmap_new();

        g_assert_cmpint(idmap_punch(map, "gid 7 0", allowed, NULL), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                if (idmap_is_proc(map, ID_GROUP, cases[i].text) != cases[i].same)
                        g_error("\"%s\"", cases[i].text);
                g_assert_false(idmap_is_proc(map, ID_USER, cases[i].text));
                g_assert_false(idmap_is_proc(host, ID_GROUP, cases[i].text));
        }
}

TEST_MAIN()
