/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which ids of the host a container may have. Ranges are cut from what /etc/subuid and /etc/subgid
 * give to root (the part that both have), or from 1000000:1000000000 where neither names root.
 *
 * Each container has a range of its own, so that a process that breaks out of one meets nobody of
 * another. Those that are not isolated share one: the first, which is kept free for them as long as
 * there is another.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

/* What an image may need; the least that a container has, and what it has unasked. */
#define ID_RANGE_SIZE 65536U
#define ID_RANGE_DEFAULT_BASE 1000000U
#define ID_RANGE_DEFAULT_SIZE 1000000000U

/* Nobody's: for processes that read what strangers wrote (service/worker/image/jail.h). The last
 * ids below those that systemd sets aside for images of others (0x7FFE0000), and above every range
 * that it or useradd hands out. */
#define ID_RANGE_JAIL_BASE 0x7FFD0000U

/* Where they need more: the upper half, which useradd leaves alone as well. */
#define ID_RANGE_JAIL_WIDE_BASE 0x80000000U

typedef struct IdRange {
        uint32_t base;
        uint32_t size; /* 0: none. base + size is never beyond 32 bits */
} IdRange;

/* Whose: several containers may have one range, if each of them shares it. */
typedef struct IdUse {
        IdRange range;
        bool shared;
        const char *name; /* of the container */
} IdUse;

/* What a container is to have. */
typedef struct IdWish {
        uint32_t base; /* 0: the service chooses */
        uint32_t size;
        bool shared;
} IdWish;

/* It is one, of ids that may be given away: neither 0 nor the overflow id are. */
bool id_range_is_valid(const IdRange *range);
bool id_range_overlaps(const IdRange *a, const IdRange *b);
/* Whether a range of the array has something of [base, base + size). */
bool id_ranges_touch(GArray *ranges, uint32_t base, uint32_t size);

/* The ranges for root in the text of /etc/subuid or /etc/subgid ("" or NULL: none). Lines that
 * make no sense are passed over. Returns an array of IdRange. */
GArray *id_ranges_parse_subid(const char *text);
/* What both files allow; the default where both are empty. */
GArray *id_ranges_intersect(GArray *uids, GArray *gids);

/* Whether `use` is what is wished for, allowed, and in nobody else's way (`used`: of IdUse). */
bool id_use_fits(const IdUse *use, const IdWish *wish, GArray *allowed, GArray *used);
/* The first such range. ERROR_LIMITS_EXCEEDED when there is none left, ERROR_IN_USE when it is
 * another's, ERROR_INVALID_CONFIG when it is not root's to give. */
int id_range_choose(const IdWish *wish, GArray *allowed, GArray *used, IdRange *ret,
                    Error *ret_error);
