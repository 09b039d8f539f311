/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Limits of devices as people write them: what a network carries, what a disk reads or writes. */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

/* Slowest and fastest of a network, in bits a second: what the kernel's token buckets can do. */
#define RATE_NETWORK_MIN UINT64_C(1000)
#define RATE_NETWORK_MAX UINT64_C(16000000000)

/* "100Mbit", "2Gibit", "9600bit" a second: kbit to Ebit by 1000, Kibit to Eibit by 1024. */
int rate_parse_network(const char *text, uint64_t *ret_bits, Error *ret_error);

typedef struct RateDisk {
        uint64_t bytes;      /* a second; 0: no bound */
        uint64_t operations; /* a second; 0: no bound */
} RateDisk;

/* "10MB" (bytes a second) or "500iops". */
int rate_parse_disk(const char *text, RateDisk *ret, Error *ret_error);

/* For the table of devices. */
int rate_check_network(const char *value, Error *ret_error);
int rate_check_disk(const char *value, Error *ret_error);
