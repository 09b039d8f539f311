/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/size.h"

#include <math.h>
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

int size_parse(const char *s, uint64_t *ret, Error *ret_error) {
        size_t digits = strspn(s, "0123456789."), plain = strspn(s, "0123456789");
        double value = g_ascii_strtod(s, NULL);

        if (plain > 0 && digits - plain <= 4 && s[digits - 1] != '.')
                for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                        double bytes = value * (double) suffixes[i].factor;

                        if (!g_str_equal(s + digits, suffixes[i].text))
                                continue;
                        if (bytes >= 0x1p63)
                                break;
                        *ret = (uint64_t) bytes;
                        return 0;
                }
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "\"%s\" is no size: write a number with B, kB, MB, GB, TB, PB, EB or KiB, "
                         "MiB, GiB, TiB, PiB, EiB", s);
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
