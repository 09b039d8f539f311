/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unit tests: TEST(name) { ... } registers a function, TEST_MAIN() runs them all. Assertions are
 * GLib's g_assert_*(), which print both sides. A test that cannot run here calls test_skip() with
 * the reason; the program then exits with 77 if nothing else failed. With BERTH_TESTS="name..." in
 * the environment only those run whose names begin with one of these.
 */

#include <glib.h>

typedef void (*TestFunc)(void);

void test_register(const char *name, TestFunc func);
int test_run(void);
void test_skip(const char *reason);

#define TEST(_name) \
        static void test_##_name(void); \
        static void __attribute__((constructor)) register_##_name(void) { \
                test_register(#_name, test_##_name); \
        } \
        static void test_##_name(void)

#define TEST_MAIN() \
        int main(void) { \
                return test_run(); \
        }
