/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Amounts of bytes as people write them: "512", "10GB", "1.5GiB". */

#include <stdint.h>

#include "service/util/error.h"

/* kB to EB count by 1000, KiB to EiB by 1024, as in LXD; "10G" is taken as GiB. At most three
 * decimals; what is left of a byte is dropped. The whole string must be a size.
 * ERROR_INVALID_CONFIG otherwise, and from 2^63 bytes on. */
int size_parse(const char *s, uint64_t *ret, Error *ret_error);
/* "219.43MiB": two decimals above 1 KiB. */
char *size_format(uint64_t bytes);
