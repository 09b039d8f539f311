/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/rate.h"

#include <string.h>

#include <glib.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"

#define OPERATIONS_MAX G_MAXUINT32

static int network_error(const char *text, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "\"%.32s\" is no rate such as 100Mbit (of 1kbit to 16Gbit a second)",
                         text);
}

int rate_parse_network(const char *text, uint64_t *ret_bits, Error *ret_error) {
        static const struct {
                const char *suffix;
                uint64_t factor;
        } units[] = {
                { "kbit", UINT64_C(1000) },         { "Mbit", UINT64_C(1000000) },
                { "Gbit", UINT64_C(1000000000) },   { "Kibit", UINT64_C(1) << 10 },
                { "Mibit", UINT64_C(1) << 20 },     { "Gibit", UINT64_C(1) << 30 },
                { "bit", 1 },                       { "", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                g_autofree char *number = NULL;
                guint64 n;

                if (!g_str_has_suffix(text, units[i].suffix))
                        continue;
                number = g_strndup(text, strlen(text) - strlen(units[i].suffix));
                if (!g_ascii_string_to_unsigned(number, 10, 1, RATE_NETWORK_MAX, &n, NULL) ||
                    n > RATE_NETWORK_MAX / units[i].factor ||
                    n * units[i].factor < RATE_NETWORK_MIN)
                        break;
                *ret_bits = n * units[i].factor;
                return 0;
        }
        return network_error(text, ret_error);
}

int rate_parse_disk(const char *text, RateDisk *ret, Error *ret_error) {
        RateDisk rate = { 0 };

        if (g_str_has_suffix(text, "iops")) {
                g_autofree char *number = g_strndup(text, strlen(text) - strlen("iops"));

                if (!g_ascii_string_to_unsigned(number, 10, 1, OPERATIONS_MAX, &rate.operations,
                                                NULL))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.32s\" is no number of operations such as 500iops",
                                         text);
        } else {
                int r = size_parse(text, &rate.bytes, ret_error);

                if (r < 0)
                        return r;
                if (rate.bytes == 0)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "a disk that passes nothing at all is of no use");
        }
        *ret = rate;
        return 0;
}

int rate_check_network(const char *value, Error *ret_error) {
        uint64_t unused;

        return rate_parse_network(value, &unused, ret_error);
}

int rate_check_disk(const char *value, Error *ret_error) {
        RateDisk unused;

        return rate_parse_disk(value, &unused, ret_error);
}
