/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/id-range.h"

static const IdUse jail = { { ID_RANGE_JAIL_BASE, ID_RANGE_SIZE }, false, "" };

static GArray *range_array_new(void) {
        return g_array_new(FALSE, FALSE, sizeof(IdRange));
}

bool id_range_is_valid(const IdRange *range) {
        return range->base > 0 && range->size > 0 && range->size <= UINT32_MAX - range->base;
}

static uint64_t range_end(const IdRange *range) {
        return (uint64_t) range->base + range->size;
}

bool id_range_overlaps(const IdRange *a, const IdRange *b) {
        return a->base < range_end(b) && b->base < range_end(a);
}

bool id_ranges_touch(GArray *ranges, uint32_t base, uint32_t size) {
        const IdRange range = { base, size };

        for (guint i = 0; i < ranges->len; i++)
                if (id_range_overlaps(&g_array_index(ranges, IdRange, i), &range))
                        return true;
        return false;
}

/* --- what root may give away --- */

static bool parse_id(const char *s, uint32_t *ret) {
        guint64 value;

        if (!g_ascii_string_to_unsigned(s, 10, 0, UINT32_MAX, &value, NULL))
                return false;
        *ret = (uint32_t) value;
        return true;
}

GArray *id_ranges_parse_subid(const char *text) {
        GArray *ranges = range_array_new();
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
                IdRange range;

                if (g_strv_length(fields) != 3)
                        continue;
                if (!g_str_equal(fields[0], "root") && !g_str_equal(fields[0], "0"))
                        continue;
                if (!parse_id(fields[1], &range.base) || !parse_id(fields[2], &range.size))
                        continue;
                if (id_range_is_valid(&range))
                        g_array_append_val(ranges, range);
        }
        return ranges;
}

GArray *id_ranges_intersect(GArray *uids, GArray *gids) {
        GArray *both = range_array_new();

        if (uids->len == 0 && gids->len == 0) {
                IdRange range = { ID_RANGE_DEFAULT_BASE, ID_RANGE_DEFAULT_SIZE };

                g_array_append_val(both, range);
                return both;
        }
        for (guint i = 0; i < uids->len; i++)
                for (guint j = 0; j < gids->len; j++) {
                        const IdRange *u = &g_array_index(uids, IdRange, i);
                        const IdRange *g = &g_array_index(gids, IdRange, j);
                        uint32_t base = MAX(u->base, g->base);
                        uint32_t end = MIN(u->base + u->size, g->base + g->size);
                        IdRange range = { base, end - base };

                        if (end > base)
                                g_array_append_val(both, range);
                }
        return both;
}

/* --- whose they are --- */

static bool is_allowed(const IdRange *range, GArray *allowed) {
        for (guint i = 0; i < allowed->len; i++) {
                const IdRange *a = &g_array_index(allowed, IdRange, i);

                if (range->base >= a->base && range_end(range) <= range_end(a))
                        return true;
        }
        return false;
}

static const IdUse *find_conflict(const IdRange *range, bool shared, GArray *used) {
        if (id_range_overlaps(range, &jail.range))
                return &jail;
        for (guint i = 0; i < used->len; i++) {
                const IdUse *use = &g_array_index(used, IdUse, i);

                if (!(shared && use->shared) && id_range_overlaps(range, &use->range))
                        return use;
        }
        return NULL;
}

bool id_use_fits(const IdUse *use, const IdWish *wish, GArray *allowed, GArray *used) {
        if (!id_range_is_valid(&use->range) || use->shared != wish->shared ||
            use->range.size != wish->size || (wish->base > 0 && use->range.base != wish->base))
                return false;
        return is_allowed(&use->range, allowed) && !find_conflict(&use->range, use->shared, used);
}

/* --- choosing --- */

static int choose_at(uint32_t base, const IdWish *wish, GArray *allowed, GArray *used,
                     IdRange *ret, Error *ret_error) {
        const IdRange range = { base, wish->size };
        const IdUse *conflict;

        if (!id_range_is_valid(&range) || !is_allowed(&range, allowed))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The %u ids from %u on are not root's to give: they must be in "
                                 "one range of /etc/subuid and /etc/subgid", wish->size, base);
        conflict = find_conflict(&range, wish->shared, used);
        if (conflict == &jail)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Of the %u ids from %u on the service needs some itself: those "
                                 "from %u on", wish->size, base, jail.range.base);
        if (conflict)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Of the %u ids from %u on some are those of container \"%s\"",
                                 wish->size, base, conflict->name);
        *ret = range;
        return 0;
}

/* The first gap that is neither used nor `spared`. */
static bool find_gap(uint32_t size, GArray *allowed, GArray *used, const IdRange *spared,
                     IdRange *ret) {
        for (guint i = 0; i < allowed->len; i++) {
                const IdRange *range = &g_array_index(allowed, IdRange, i);
                uint64_t base = range->base, end = range_end(range);

                while (base + size <= end) {
                        IdRange gap = { (uint32_t) base, size };
                        const IdUse *conflict = find_conflict(&gap, false, used);

                        if (conflict)
                                base = range_end(&conflict->range);
                        else if (spared && id_range_overlaps(&gap, spared))
                                base = range_end(spared);
                        else {
                                *ret = gap;
                                return true;
                        }
                }
        }
        return false;
}

int id_range_choose(const IdWish *wish, GArray *allowed, GArray *used, IdRange *ret,
                    Error *ret_error) {
        const IdRange *first = allowed->len > 0 ? &g_array_index(allowed, IdRange, 0) : NULL;
        IdRange common;

        if (wish->base > 0)
                return choose_at(wish->base, wish, allowed, used, ret, ret_error);
        if (first && wish->shared)
                return choose_at(first->base, wish, allowed, used, ret, ret_error);
        if (first) {
                common = (IdRange) { first->base, MIN(first->size, ID_RANGE_SIZE) };
                if (find_gap(wish->size, allowed, used, &common, ret) ||
                    find_gap(wish->size, allowed, used, NULL, ret))
                        return 0;
        }
        return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                         "No range of %u user and group ids is left for another container: give "
                         "root more in /etc/subuid and /etc/subgid", wish->size);
}
