/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/idmap.h"

#include <string.h>

#include "service/model/config-value.h"
#include "service/util/cleanup.h"

/* The kernel takes 340 lines, in one write of less than a page. */
#define PROC_TEXT_MAX 4000U
#define LINES_MAX 340U

static const char *const kinds[] = { [ID_USER] = "u", [ID_GROUP] = "g" };
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == _ID_KIND_MAX);

struct IdMap {
        GArray *lines[_ID_KIND_MAX]; /* IdMapLine, by id inside */
};

IdMap *idmap_new(void) {
        IdMap *map = g_new0(IdMap, 1);

        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                map->lines[kind] = g_array_new(FALSE, FALSE, sizeof(IdMapLine));
        return map;
}

IdMap *idmap_new_range(IdRange range) {
        IdMap *map = idmap_new();

        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++) {
                int r = idmap_add(map, kind, (IdMapLine) { 0, range.base, range.size });

                g_assert(r >= 0);
        }
        return map;
}

IdMap *idmap_copy(const IdMap *map) {
        IdMap *copy = g_new0(IdMap, 1);

        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                copy->lines[kind] = g_array_copy(map->lines[kind]);
        return copy;
}

IdMap *idmap_free(IdMap *map) {
        if (!map)
                return NULL;
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                g_array_unref(map->lines[kind]);
        g_free(map);
        return NULL;
}

/* --- lines --- */

static const IdMapLine *line_at(const IdMap *map, IdKind kind, guint i) {
        return &g_array_index(map->lines[kind], IdMapLine, i);
}

static bool overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b) {
        return (uint64_t) a < (uint64_t) b + n_b && (uint64_t) b < (uint64_t) a + n_a;
}

static bool line_is_valid(const IdMapLine *line) {
        return line->count > 0 && line->host > 0 && line->count <= UINT32_MAX - line->inside &&
               line->count <= UINT32_MAX - line->host;
}

int idmap_add(IdMap *map, IdKind kind, IdMapLine line) {
        GArray *lines = map->lines[kind];
        guint place = 0;

        if (!line_is_valid(&line))
                return -EINVAL;
        if (lines->len >= LINES_MAX)
                return -E2BIG;
        for (guint i = 0; i < lines->len; i++) {
                const IdMapLine *other = line_at(map, kind, i);

                if (overlap(line.inside, line.count, other->inside, other->count) ||
                    overlap(line.host, line.count, other->host, other->count))
                        return -EEXIST;
                if (other->inside < line.inside)
                        place = i + 1;
        }
        g_array_insert_val(lines, place, line);
        return 0;
}

bool idmap_is_host(const IdMap *map) {
        return map->lines[ID_USER]->len == 0 && map->lines[ID_GROUP]->len == 0;
}

bool idmap_equal(const IdMap *a, const IdMap *b) {
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++) {
                const GArray *x = a->lines[kind], *y = b->lines[kind];

                if (x->len != y->len ||
                    (x->len > 0 && memcmp(x->data, y->data, x->len * sizeof(IdMapLine)) != 0))
                        return false;
        }
        return true;
}

uint32_t idmap_end(const IdMap *map) {
        uint32_t end = 0;

        if (idmap_is_host(map))
                return UINT32_MAX;
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++) {
                const GArray *lines = map->lines[kind];

                if (lines->len > 0) {
                        const IdMapLine *last = line_at(map, kind, lines->len - 1);

                        end = MAX(end, last->inside + last->count);
                }
        }
        return end;
}

bool idmap_to_host(const IdMap *map, IdKind kind, uint32_t inside, uint32_t *ret) {
        for (guint i = 0; i < map->lines[kind]->len; i++) {
                const IdMapLine *line = line_at(map, kind, i);

                if (inside >= line->inside && inside - line->inside < line->count) {
                        *ret = line->host + (inside - line->inside);
                        return true;
                }
        }
        if (!idmap_is_host(map) || inside == UINT32_MAX)
                return false;
        *ret = inside;
        return true;
}

bool idmap_to_inside(const IdMap *map, IdKind kind, uint32_t host, uint32_t *ret) {
        for (guint i = 0; i < map->lines[kind]->len; i++) {
                const IdMapLine *line = line_at(map, kind, i);

                if (host >= line->host && host - line->host < line->count) {
                        *ret = line->inside + (host - line->host);
                        return true;
                }
        }
        if (!idmap_is_host(map) || host == UINT32_MAX)
                return false;
        *ret = host;
        return true;
}

/* --- raw.idmap --- */

typedef struct RawLine {
        bool kinds[_ID_KIND_MAX];
        IdMapLine line;
} RawLine;

/* "N" or "N-M". */
static int parse_id_range(const char *text, uint32_t *ret_first, uint32_t *ret_count) {
        const char *dash = strchr(text, '-');
        g_autofree char *low = dash ? g_strndup(text, (size_t) (dash - text)) : g_strdup(text);
        uint64_t first, last;

        if (config_parse_integer(low, 0, UINT32_MAX - 1, &first) < 0 ||
            config_parse_integer(dash ? dash + 1 : low, first, UINT32_MAX - 1, &last) < 0)
                return -EINVAL;
        *ret_first = (uint32_t) first;
        *ret_count = (uint32_t) (last - first + 1);
        return 0;
}

static int parse_raw_line(const char *text, RawLine *ret) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        bool both = g_strcmp0(words[0], "both") == 0;
        RawLine raw = { .kinds = {
                [ID_USER] = both || g_strcmp0(words[0], "uid") == 0,
                [ID_GROUP] = both || g_strcmp0(words[0], "gid") == 0,
        } };
        uint32_t count;

        if (g_strv_length(words) != 3 || (!raw.kinds[ID_USER] && !raw.kinds[ID_GROUP]) ||
            parse_id_range(words[1], &raw.line.host, &raw.line.count) < 0 ||
            parse_id_range(words[2], &raw.line.inside, &count) < 0 || count != raw.line.count)
                return -EINVAL;
        *ret = raw;
        return 0;
}

/* The map of these lines alone. */
static int parse_raw(const char *text, IdMap **ret, Error *ret_error) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        g_autoptr(IdMap) map = idmap_new();

        for (char **line = lines; *line; line++) {
                RawLine raw;
                int r = 0;

                if (!**line)
                        continue;
                if (parse_raw_line(*line, &raw) < 0)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" is no line such as \"both 1000 1000\" or \"uid "
                                         "1000-1009 0-9\" (ranges of the same length)", *line);
                for (IdKind kind = 0; r >= 0 && kind < _ID_KIND_MAX; kind++)
                        if (raw.kinds[kind])
                                r = idmap_add(map, kind, raw.line);
                if (r == -EEXIST)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" overlaps with a line above it", *line);
                if (r == -E2BIG)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "there are more than the %u lines that the kernel takes",
                                         LINES_MAX);
                if (r < 0)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" gives away the host's root; that is what "
                                         "security.privileged is for", *line);
        }
        *ret = TAKE_PTR(map);
        return 0;
}

int idmap_check_raw(const char *raw, Error *ret_error) {
        g_autoptr(IdMap) unused = NULL;
        int r = config_check_text(raw, ret_error);

        return r < 0 ? r : parse_raw(raw, &unused, ret_error);
}

/* What of the line is below and above the hole. */
static void append_without(GArray *lines, const IdMapLine *line, const IdMapLine *hole) {
        uint64_t end = (uint64_t) line->inside + line->count;
        uint64_t hole_end = (uint64_t) hole->inside + hole->count;

        if (line->inside < hole->inside) {
                uint32_t count = (uint32_t) (MIN(end, hole->inside) - line->inside);
                IdMapLine below = { line->inside, line->host, count };

                g_array_append_val(lines, below);
        }
        if (end > hole_end) {
                uint32_t first = MAX(line->inside, (uint32_t) hole_end);
                IdMapLine above = { first, line->host + (first - line->inside),
                                    (uint32_t) (end - first) };

                g_array_append_val(lines, above);
        }
}

static int punch(IdMap *map, IdKind kind, const IdMapLine *hole) {
        g_autoptr(GArray) old = map->lines[kind];
        GArray *lines = g_array_new(FALSE, FALSE, sizeof(IdMapLine));

        for (guint i = 0; i < old->len; i++)
                append_without(lines, &g_array_index(old, IdMapLine, i), hole);
        map->lines[kind] = lines;
        return idmap_add(map, kind, *hole);
}

static int too_long(Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "The id map has more lines than the kernel takes");
}

static int check_length(const IdMap *map, Error *ret_error) {
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++) {
                g_autofree char *text = idmap_to_proc(map, kind);

                if (strlen(text) > PROC_TEXT_MAX)
                        return too_long(ret_error);
        }
        return 0;
}

int idmap_punch(IdMap *map, const char *raw, GArray *allowed, Error *ret_error) {
        g_autoptr(IdMap) holes = NULL;
        int r = parse_raw(raw, &holes, ret_error);

        for (IdKind kind = 0; r >= 0 && kind < _ID_KIND_MAX; kind++)
                for (guint i = 0; r >= 0 && i < holes->lines[kind]->len; i++) {
                        const IdMapLine *hole = line_at(holes, kind, i);

                        if (id_ranges_touch(allowed, hole->host, hole->count))
                                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                                 "raw.idmap: the %u ids of the host from %u on are "
                                                 "not all somebody's of the host: some are there "
                                                 "for containers", hole->count, hole->host);
                        r = punch(map, kind, hole);
                        if (r == -E2BIG)
                                return too_long(ret_error);
                        if (r < 0)
                                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                                 "raw.idmap: the ids of the host from %u on are "
                                                 "the container's already", hole->host);
                }
        return r < 0 ? r : check_length(map, ret_error);
}

/* --- other forms --- */

GVariant *idmap_to_variant(const IdMap *map) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, IDMAP_TYPE);
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                for (guint i = 0; i < map->lines[kind]->len; i++) {
                        const IdMapLine *line = line_at(map, kind, i);

                        g_variant_builder_add(&builder, "(suuu)", kinds[kind], line->inside,
                                              line->host, line->count);
                }
        return g_variant_builder_end(&builder);
}

static IdKind kind_from_string(const char *s) {
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                if (g_str_equal(kinds[kind], s))
                        return kind;
        return _ID_KIND_INVALID;
}

static int malformed(Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_ARGS,
                         "The id map is malformed, or gives away an id of the host's root");
}

int idmap_from_variant(GVariant *variant, IdMap **ret, Error *ret_error) {
        g_autoptr(IdMap) map = idmap_new();
        GVariantIter iter;
        const char *name;
        IdMapLine line;
        uint32_t unused;
        int r;

        g_variant_iter_init(&iter, variant);
        while (g_variant_iter_next(&iter, "(&suuu)", &name, &line.inside, &line.host,
                                   &line.count)) {
                IdKind kind = kind_from_string(name);

                if (kind < 0 || idmap_add(map, kind, line) < 0)
                        return malformed(ret_error);
        }
        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                if (!idmap_to_host(map, kind, 0, &unused))
                        return malformed(ret_error);
        r = check_length(map, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(map);
        return 0;
}

char *idmap_to_proc(const IdMap *map, IdKind kind) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < map->lines[kind]->len; i++) {
                const IdMapLine *line = line_at(map, kind, i);

                g_string_append_printf(text, "%u %u %u\n", line->inside, line->host, line->count);
        }
        return g_string_free(text, FALSE);
}

/* A line of three numbers with blanks around them. */
static int parse_proc_line(const char *text, IdMapLine *ret) {
        uint32_t *const fields[] = { &ret->inside, &ret->host, &ret->count };
        g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
        size_t n = 0;

        for (char **word = words; *word; word++) {
                guint64 value;

                if (!**word)
                        continue;
                if (n >= G_N_ELEMENTS(fields) ||
                    !g_ascii_string_to_unsigned(*word, 10, 0, UINT32_MAX, &value, NULL))
                        return -EBADMSG;
                *fields[n++] = (uint32_t) value;
        }
        return n == G_N_ELEMENTS(fields) ? 0 : -EBADMSG;
}

bool idmap_is_proc(const IdMap *map, IdKind kind, const char *text) {
        g_autoptr(IdMap) read = idmap_new();
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        const GArray *x = map->lines[kind], *y = read->lines[kind];

        for (char **line = lines; *line; line++) {
                IdMapLine parsed;

                if (!**line)
                        continue;
                if (parse_proc_line(*line, &parsed) < 0 || idmap_add(read, kind, parsed) < 0)
                        return false;
        }
        return x->len == y->len && x->len > 0 &&
               memcmp(x->data, y->data, x->len * sizeof(IdMapLine)) == 0;
}

char **idmap_to_lxc(const IdMap *map) {
        GPtrArray *values = g_ptr_array_new();

        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                for (guint i = 0; i < map->lines[kind]->len; i++) {
                        const IdMapLine *line = line_at(map, kind, i);

                        g_ptr_array_add(values, g_strdup_printf("%s %u %u %u", kinds[kind],
                                                                line->inside, line->host,
                                                                line->count));
                }
        g_ptr_array_add(values, NULL);
        return (char **) g_ptr_array_free(values, FALSE);
}

char *idmap_to_json(const IdMap *map) {
        GString *text = g_string_new("[");

        for (IdKind kind = 0; kind < _ID_KIND_MAX; kind++)
                for (guint i = 0; i < map->lines[kind]->len; i++) {
                        const IdMapLine *line = line_at(map, kind, i);

                        g_string_append_printf(text,
                                               "%s{\"Isuid\":%s,\"Isgid\":%s,\"Hostid\":%u,"
                                               "\"Nsid\":%u,\"Maprange\":%u}",
                                               text->len > 1 ? "," : "",
                                               kind == ID_USER ? "true" : "false",
                                               kind == ID_GROUP ? "true" : "false", line->host,
                                               line->inside, line->count);
                }
        g_string_append_c(text, ']');
        return g_string_free(text, FALSE);
}
