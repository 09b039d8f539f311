/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/size.h"

#include <stdbool.h>
#include <string.h>

typedef struct Suffix {
        const char *text;
        uint64_t factor;
} Suffix;

static const Suffix suffixes[] = {
        { "", 1 },
        { "B", 1 },
        { "kB", 1000 },
        { "MB", 1000 * 1000 },
        { "GB", 1000ULL * 1000 * 1000 },
        { "TB", 1000ULL * 1000 * 1000 * 1000 },
        { "PB", 1000ULL * 1000 * 1000 * 1000 * 1000 },
        { "EB", 1000ULL * 1000 * 1000 * 1000 * 1000 * 1000 },
        { "KiB", 1ULL << 10 },
        { "MiB", 1ULL << 20 },
        { "GiB", 1ULL << 30 },
        { "TiB", 1ULL << 40 },
        { "PiB", 1ULL << 50 },
        { "EiB", 1ULL << 60 },
        { "K", 1ULL << 10 },
        { "M", 1ULL << 20 },
        { "G", 1ULL << 30 },
        { "T", 1ULL << 40 },
};

/* Up to three decimals ("1.5", "1.125"), as thousandths. */
static bool parse_decimals(const char *s, size_t n, uint64_t *ret) {
        uint64_t value = 0;

        if (n == 0 || n > 3)
                return false;
        for (size_t i = 0; i < 3; i++)
                value = value * 10 + (i < n ? (uint64_t) (s[i] - '0') : 0);
        *ret = value;
        return true;
}

/* Whole numbers all the way: a double has not the digits for 64 bits. */
static bool parse_bytes(const char *s, uint64_t *ret) {
        static const char digits[] = "0123456789";
        size_t n = strspn(s, digits);
        g_autofree char *whole_text = g_strndup(s, n);
        uint64_t whole, thousandths = 0, bytes;

        if (!g_ascii_string_to_unsigned(whole_text, 10, 0, G_MAXINT64, &whole, NULL))
                return false;
        s += n;
        if (*s == '.') {
                n = strspn(s + 1, digits);
                if (!parse_decimals(s + 1, n, &thousandths))
                        return false;
                s += 1 + n;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                uint64_t factor = suffixes[i].factor;

                if (!g_str_equal(s, suffixes[i].text))
                        continue;
                /* The part of a factor stays below it, so only what is whole can be too large. */
                if (__builtin_mul_overflow(whole, factor, &bytes) ||
                    __builtin_add_overflow(bytes, factor / 1000 * thousandths +
                                           factor % 1000 * thousandths / 1000, &bytes) ||
                    bytes > G_MAXINT64)
                        return false;
                *ret = bytes;
                return true;
        }
        return false;
}

int size_parse(const char *s, uint64_t *ret, Error *ret_error) {
        if (parse_bytes(s, ret))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%.64s\" is no size: write a number with B, kB, MB, GB, TB, PB, EB or "
                         "KiB, MiB, GiB, TiB, PiB, EiB", s);
}

char *size_format(uint64_t bytes) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double value = (double) bytes;
        size_t i = 0;

        for (; value >= 1024 && i + 1 < G_N_ELEMENTS(units); i++)
                value /= 1024;
        if (i == 0)
                return g_strdup_printf("%" G_GUINT64_FORMAT "B", bytes);
        return g_strdup_printf("%.2f%s", value, units[i]);
}
