/* SPDX-License-Identifier: Apache-2.0 */

/* Ranges of ids: what /etc/subuid gives, and which part of it the next container gets. */

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
                g_autoptr(GArray) ranges = idmap_parse_subid(cases[i].text);

                assert_ranges(ranges, cases[i].ranges, cases[i].n);
        }
}

TEST(both_files_must_give_it) {
        static const IdRange uids[] = { { 1000, 100 }, { 5000, 10 } };
        static const IdRange gids[] = { { 1050, 100 }, { 5010, 10 } };
        static const IdRange both_want[] = { { 1050, 50 } };
        static const IdRange fallback[] = { { IDMAP_DEFAULT_BASE, IDMAP_DEFAULT_SIZE } };
        g_autoptr(GArray) u = ranges_of(uids, ELEMENTSOF(uids));
        g_autoptr(GArray) g = ranges_of(gids, ELEMENTSOF(gids));
        g_autoptr(GArray) none = ranges_of(NULL, 0);
        g_autoptr(GArray) both = idmap_intersect(u, g), one = idmap_intersect(u, none);
        g_autoptr(GArray) neither = idmap_intersect(none, none);

        assert_ranges(both, both_want, ELEMENTSOF(both_want));
        assert_ranges(one, NULL, 0);
        assert_ranges(neither, fallback, ELEMENTSOF(fallback));
}

TEST(the_first_gap_is_taken) {
        static const struct {
                IdRange used[3];
                size_t n;
                uint32_t base; /* 0: there is none */
        } cases[] = {
                { {}, 0, 100000 },
                { { { 100000, 65536 } }, 1, 165536 },
                { { { 165536, 65536 } }, 1, 100000 },
                { { { 100000, 65536 }, { 165536, 65536 } }, 2, 231072 },
                /* A foot in the door is enough. */
                { { { 165535, 1 } }, 1, 165536 },
                { { { 165536, 1 }, { 100000, 1 } }, 2, 165537 },
                { { { 1, 4000000000U } }, 1, 0 },
                { { { 100000, 65536 }, { 165536, 65536 }, { 231072, 65536 } }, 3, 0 },
        };
        static const IdRange allowed_range = { 100000, 3 * 65536 };
        g_autoptr(GArray) allowed = ranges_of(&allowed_range, 1);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GArray) used = ranges_of(cases[i].used, cases[i].n);
                g_auto(Error) error = ERROR_INIT;
                IdRange range = { 0 };
                int r = idmap_allocate(allowed, used, &range, &error);

                if (cases[i].base == 0) {
                        g_assert_cmpint(r, <, 0);
                        g_assert_cmpint(error.code, ==, ERROR_LIMITS_EXCEEDED);
                        continue;
                }
                g_assert_cmpint(r, ==, 0);
                g_assert_cmpuint(range.base, ==, cases[i].base);
                g_assert_cmpuint(range.size, ==, IDMAP_CONTAINER_SIZE);
        }
}

TEST_MAIN()
