/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/size.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/unit/test.h"

TEST(sizes_are_exact) {
        static const struct {
                const char *text;
                uint64_t bytes;
        } cases[] = {
                { "0", 0 },
                { "00012B", 12 },
                { "1kB", 1000 },
                { "1KiB", 1024 },
                { "10G", 10ULL << 30 },
                { "1.5GiB", 3ULL << 29 },
                { "1.125KiB", 1152 },
                { "0.001kB", 1 },
                { "1.999B", 1 },
                { "0.999EiB", 1151768583102240129ULL },
                { "9007199254740993", 9007199254740993ULL }, /* no double has it */
                { "9223372036854775807", 9223372036854775807ULL },
                { "7.999EiB", 9222219115350168961ULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(Error) error = ERROR_INIT;
                uint64_t bytes = 0;

                g_assert_cmpint(size_parse(cases[i].text, &bytes, &error), ==, 0);
                g_assert_cmpuint(bytes, ==, cases[i].bytes);
        }
}

TEST(what_is_no_size_is_refused) {
        static const char *const bad[] = {
                "", " ", "1 ", " 1", "-1", "+1", ".5", "1.", "1.GB", "1..5", "1.2.3GB", "1.2345",
                "GB", "1e3", "0x10", "1gb", "1KB", "1kiB", "1 GB", "10%", "nan", "inf", "1,5GB",
                "9223372036854775808", "8EiB", "9.3EB", "9999999999EiB", "1GBB",
                "99999999999999999999999999999999999999999999999999999999999999999999999999B",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_auto(Error) error = ERROR_INIT;
                uint64_t bytes = 42;

                if (size_parse(bad[i], &bytes, &error) >= 0)
                        g_error("\"%s\" became %" G_GUINT64_FORMAT, bad[i], bytes);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_cmpuint(bytes, ==, 42);
                g_assert_cmpuint(strlen(error.message), <, 200);
        }
}

TEST(sizes_are_written_in_the_unit_that_fits) {
        static const struct {
                uint64_t bytes;
                const char *text;
        } cases[] = {
                { 0, "0B" }, { 1023, "1023B" }, { 1024, "1.00KiB" }, { 230088704, "219.43MiB" },
                { 1ULL << 60, "1.00EiB" }, { UINT64_MAX, "16.00EiB" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *text = size_format(cases[i].bytes);

                g_assert_cmpstr(text, ==, cases[i].text);
        }
}

TEST_MAIN()
