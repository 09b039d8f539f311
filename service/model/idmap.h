/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which ids of the host stand for those of a container: users and groups apart, each a list of
 * lines as in user_namespaces(7). Most maps are one range (service/model/id-range.h); raw.idmap
 * punches holes in it, behind which are ids of the host as they are.
 *
 * A map without lines is that of a privileged container: it has no user namespace of its own, and
 * every id stands for itself. No map with lines gives away the host's root.
 *
 * On disk nothing is shifted: root filesystems are mounted idmapped, so that another map costs
 * nothing. Everything that has to do with a container's map asks here, berthd and the workers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/model/id-range.h"
#include "service/util/error.h"

/* What is told to workers and kept in records: kind ("u" or "g"), first id inside, on the host,
 * count. */
#define IDMAP_TYPE ((const GVariantType *) "a(suuu)")

typedef enum IdKind {
        ID_USER,
        ID_GROUP,
        _ID_KIND_MAX,
        _ID_KIND_INVALID = -EINVAL,
} IdKind;

/* A line of /proc/PID/uid_map or gid_map. */
typedef struct IdMapLine {
        uint32_t inside, host, count;
} IdMapLine;

typedef struct IdMap IdMap;

/* Without lines: see above. */
IdMap *idmap_new(void);
/* Ids 0 up to the size of the range, users and groups alike. */
IdMap *idmap_new_range(IdRange range);
IdMap *idmap_copy(const IdMap *map);
IdMap *idmap_free(IdMap *map);
/* -EINVAL when it is no line, -EEXIST when another one has ids of it, -E2BIG when the kernel could
 * not take as many. */
int idmap_add(IdMap *map, IdKind kind, IdMapLine line);

/* Lines "both|uid|gid HOST[-HOST] INSIDE[-INSIDE]": gives ids inside other ids of the host than the
 * range has for them. Neither the host's root nor what is in `allowed` (of IdRange), which is for
 * containers, can be given away so. On an error the map is of no use any more. */
int idmap_punch(IdMap *map, const char *raw, GArray *allowed, Error *ret_error);
/* The same without a map: whether it reads. For the table of keys. */
int idmap_check_raw(const char *raw, Error *ret_error);

bool idmap_is_host(const IdMap *map);
bool idmap_equal(const IdMap *a, const IdMap *b);
/* One more than the highest id inside. */
uint32_t idmap_end(const IdMap *map);
/* False where there is none. */
bool idmap_to_host(const IdMap *map, IdKind kind, uint32_t inside, uint32_t *ret);
bool idmap_to_inside(const IdMap *map, IdKind kind, uint32_t host, uint32_t *ret);

/* Floating. */
GVariant *idmap_to_variant(const IdMap *map);
/* From a file or a message: the lines make sense, and if there are any, root inside is somebody. */
int idmap_from_variant(GVariant *variant, IdMap **ret, Error *ret_error);
/* What is written to /proc/PID/uid_map or gid_map. */
char *idmap_to_proc(const IdMap *map, IdKind kind);
/* Whether that is what one can read there: the same lines, in whatever order. */
bool idmap_is_proc(const IdMap *map, IdKind kind, const char *text);
/* Values of lxc.idmap; g_strfreev(). */
char **idmap_to_lxc(const IdMap *map);
/* As LXD shows maps in volatile.idmap.current. */
char *idmap_to_json(const IdMap *map);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdMap, idmap_free)
