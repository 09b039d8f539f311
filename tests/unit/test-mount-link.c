/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount-link.h"

#include <string.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static const struct {
        const char *target, *mounted;
        unsigned depth;
        const char *told; /* NULL: none */
} cases[] = {
        /* what leads nowhere near the edge stays */
        { "file", "/", 0, "file" },
        { "a/b/c", "/", 3, "a/b/c" },
        { "../b", "/", 1, "../b" },
        { "../../b/c", "/", 5, "../../b/c" },
        { "..", "/", 2, ".." },
        { ".", "/", 2, "." },
        { "./a//b/", "/", 0, "a/b" },
        { "a..b/...", "/", 0, "a..b/..." },
        /* the root of the container is that of the mount */
        { "/", "/", 0, "." },
        { "/", "/", 3, "../../.." },
        { "/etc/passwd", "/", 0, "etc/passwd" },
        { "/etc/passwd", "/", 2, "../../etc/passwd" },
        { "//etc/../../../etc/./passwd", "/", 1, "../etc/passwd" },
        /* never above it */
        { "../etc", "/", 0, "etc" },
        { "../../../../etc", "/", 2, "../../etc" },
        { "a/../../../etc", "/", 1, "../etc" },
        { "link/../../..", "/", 0, "." },
        { "a/../b/../../c", "/", 0, "c" },
        /* below another directory */
        { "/srv/x/y", "/srv", 0, "x/y" },
        { "/srv/x/y", "/srv/x", 1, "../y" },
        { "/srv", "/srv", 0, "." },
        { "/srv/../srv/x", "/srv", 0, "x" },
        { "/srvx/y", "/srv", 0, NULL },
        { "/etc/passwd", "/srv", 0, NULL },
        { "/", "/srv", 0, NULL },
        { "/srv/../etc", "/srv", 3, NULL },
        { "../etc", "/srv", 0, NULL },
        { "../../etc", "/srv", 1, NULL },
        { "../etc", "/srv", 1, "../etc" },
};

TEST(links_are_told_as_they_are_inside) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *told = mount_link_target(cases[i].target, cases[i].mounted,
                                                          cases[i].depth);

                if (g_strcmp0(told, cases[i].told) != 0)
                        g_error("%s in %s, %u deep: %s instead of %s", cases[i].target,
                                cases[i].mounted, cases[i].depth, told, cases[i].told);
        }
}

/* Whatever it holds: as many ".." as it is deep at most, and none after a name. */
TEST(no_link_leads_above_the_mount) {
        static const char *const words[] = { "..", ".", "", "a", "b" };
        g_autoptr(GRand) rand = g_rand_new_with_seed(7);

        for (int round = 0; round < 20000; round++) {
                g_autoptr(GString) target = g_string_new(g_rand_boolean(rand) ? "/" : "");
                unsigned depth = (unsigned) g_rand_int_range(rand, 0, 5), above = 0;
                g_autofree char *told = NULL;
                const char *rest;

                for (int i = g_rand_int_range(rand, 1, 12); i > 0; i--)
                        g_string_append_printf(target, "%s/",
                                               words[g_rand_int_range(rand, 0,
                                                                      ELEMENTSOF(words))]);
                told = mount_link_target(target->str, round % 2 ? "/" : "/a", depth);
                if (!told)
                        continue;
                for (rest = told; g_str_has_prefix(rest, ".."); rest += rest[2] ? 3 : 2)
                        above++;
                g_assert_cmpuint(above, <=, depth);
                g_assert_false(*told == '/');
                g_assert_null(strstr(rest, ".."));
        }
}

TEST_MAIN()
