/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TESTS_MAX 256

static struct {
        const char *name;
        TestFunc func;
} tests[TESTS_MAX];
static size_t n_tests;
static bool skipped;

void test_register(const char *name, TestFunc func) {
        g_assert(n_tests < TESTS_MAX);
        tests[n_tests].name = name;
        tests[n_tests].func = func;
        n_tests++;
}

void test_skip(const char *reason) {
        printf("SKIP: %s\n", reason);
        skipped = true;
}

/* Without words: all of them. */
static bool is_wanted(const char *name, char *const *words) {
        bool wanted = !words;

        for (; words && *words; words++)
                wanted = wanted || g_str_has_prefix(name, *words);
        return wanted;
}

int test_run(void) {
        const char *chosen = getenv("BERTH_TESTS");
        g_auto(GStrv) words = chosen ? g_strsplit(chosen, " ", -1) : NULL;
        size_t n_run = 0;

        for (size_t i = 0; i < n_tests; i++) {
                if (!is_wanted(tests[i].name, words))
                        continue;
                printf("%s\n", tests[i].name);
                fflush(stdout);
                tests[i].func();
                n_run++;
        }
        g_assert(n_run > 0);
        return skipped ? 77 : EXIT_SUCCESS;
}
