/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which ids of the host stand for those of a container. Each container has a range of its own, so
 * that a process that breaks out of one meets nobody of another. Ranges are cut from the pool that
 * /etc/subuid and /etc/subgid give to root (the part that both have), or from
 * 1000000:1000000000 where neither names root. On disk nothing is shifted: root filesystems are
 * mounted idmapped.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

#define IDMAP_CONTAINER_SIZE 65536U
#define IDMAP_DEFAULT_BASE 1000000U
#define IDMAP_DEFAULT_SIZE 1000000000U

typedef struct IdRange {
        uint32_t base;
        uint32_t size; /* never 0, base + size never beyond 32 bits */
} IdRange;

/* The ranges for root in the text of /etc/subuid or /etc/subgid ("" or NULL: none). Lines that
 * make no sense are passed over. Returns an array of IdRange. */
GArray *idmap_parse_subid(const char *text);
/* What both files allow; the default where both are empty. */
GArray *idmap_intersect(GArray *uids, GArray *gids);
/* The first IDMAP_CONTAINER_SIZE free ids of `allowed`, beside those `used` (an array of IdRange).
 * ERROR_LIMITS_EXCEEDED when there are none, saying which file to extend. */
int idmap_allocate(GArray *allowed, GArray *used, IdRange *ret, Error *ret_error);
