/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/idmap.h"

#include <string.h>

static GArray *range_array_new(void) {
        return g_array_new(FALSE, FALSE, sizeof(IdRange));
}

static bool parse_id(const char *s, uint32_t *ret) {
        guint64 value;

        if (!g_ascii_string_to_unsigned(s, 10, 0, UINT32_MAX, &value, NULL))
                return false;
        *ret = (uint32_t) value;
        return true;
}

GArray *idmap_parse_subid(const char *text) {
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
                /* Id 0 of the host and the overflow id -1 are never given away. */
                if (range.size == 0 || range.base == 0 || range.size > UINT32_MAX - range.base)
                        continue;
                g_array_append_val(ranges, range);
        }
        return ranges;
}

GArray *idmap_intersect(GArray *uids, GArray *gids) {
        GArray *both = range_array_new();

        if (uids->len == 0 && gids->len == 0) {
                IdRange range = { IDMAP_DEFAULT_BASE, IDMAP_DEFAULT_SIZE };

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

/* The end of a used range that reaches into [base, base + size), or 0. */
static uint64_t used_end(GArray *used, uint64_t base, uint64_t size) {
        for (guint i = 0; i < used->len; i++) {
                const IdRange *u = &g_array_index(used, IdRange, i);

                if (u->base < base + size && base < (uint64_t) u->base + u->size)
                        return (uint64_t) u->base + u->size;
        }
        return 0;
}

int idmap_allocate(GArray *allowed, GArray *used, IdRange *ret, Error *ret_error) {
        for (guint i = 0; i < allowed->len; i++) {
                const IdRange *range = &g_array_index(allowed, IdRange, i);
                uint64_t base = range->base, end = base + range->size;

                while (base + IDMAP_CONTAINER_SIZE <= end) {
                        uint64_t next = used_end(used, base, IDMAP_CONTAINER_SIZE);

                        if (next == 0) {
                                *ret = (IdRange) { (uint32_t) base, IDMAP_CONTAINER_SIZE };
                                return 0;
                        }
                        base = next;
                }
        }
        return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                         "No range of %u user and group ids is left for another container: give "
                         "root more in /etc/subuid and /etc/subgid", IDMAP_CONTAINER_SIZE);
}
