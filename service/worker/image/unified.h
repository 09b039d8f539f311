/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a unified image has at its top, and an exported container in its directory: metadata.yaml,
 * templates/ and rootfs/. Takes their entries in the order in which they come, unpacks the root
 * filesystem and keeps the rest until it can be described.
 *
 * Used inside the jail only.
 */

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/archive-reader.h"

typedef struct Unified Unified;

/* Unpacks into `root_fd`, or only judges if that is -EBADF. `prefix` is the directory of the
 * archive that all of it is in, "" for its top. Owners are below `id_count`. */
Unified *unified_new(ArchiveReader *archive, int root_fd, const char *prefix, uint32_t id_count);
/* Of a split image: there is no rootfs/. */
Unified *unified_new_without_rootfs(ArchiveReader *archive);
Unified *unified_free(Unified *unified);

/* Whether the name, relative to that directory, is one of the three or below. */
bool unified_has(const char *name);
/* Takes the entry that the reader is at. */
int unified_add(Unified *unified, const char *name, struct archive_entry *entry, Error *ret_error);
/* To be called once, after the last: adds the description (description.h) to `dict`. */
int unified_finish(Unified *unified, GVariantDict *dict, Error *ret_error);

/* The content of a small regular file, the entry that the reader is at. */
int unified_read_small(ArchiveReader *archive, const char *name, struct archive_entry *entry,
                       size_t max, GBytes **ret, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unified, unified_free)
