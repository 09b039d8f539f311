/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The leases that dnsmasq has given, read from its file. */

#include "service/operation/manager.h"

typedef struct Lease {
        char *name;        /* "" where there is none */
        uint8_t hwaddr[6]; /* zeros where it is not known */
        char *address;
        uint64_t expires;  /* seconds since 1970, 0: never */
} Lease;

void lease_clear(void *lease);
/* Those of a network, as Lease; what cannot be read is left out. */
GArray *network_read_leases(Manager *m, const char *network);
