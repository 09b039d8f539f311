/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/classes.h"

/* Each line's words; never freed. */
static GPtrArray *lines(void) {
        static GPtrArray *all;
        g_autofree char *text = NULL;
        g_auto(GStrv) split = NULL;

        if (all)
                return all;
        all = g_ptr_array_new();
        g_assert_true(g_file_get_contents(SOURCE_ROOT "/tests/unit/classes", &text, NULL, NULL));
        split = g_strsplit(text, "\n", -1);
        for (char **line = split; *line; line++)
                if (**line && **line != '#')
                        g_ptr_array_add(all, g_strsplit(*line, " ", -1));
        return all;
}

const char *const *classes_find(const char *kind, const char *name) {
        GPtrArray *all = lines();

        for (guint i = 0; i < all->len; i++) {
                const char *const *words = all->pdata[i];

                g_assert_cmpuint(g_strv_length(all->pdata[i]), >=, 3);
                if (g_str_equal(words[0], kind) && g_str_equal(words[1], name))
                        return words + 2;
        }
        return NULL;
}

unsigned classes_count(const char *kind) {
        GPtrArray *all = lines();
        unsigned n = 0;

        for (guint i = 0; i < all->len; i++)
                n += g_str_equal(*(char **) all->pdata[i], kind);
        return n;
}
