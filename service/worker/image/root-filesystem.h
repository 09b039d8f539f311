/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The root filesystem of an image while it is read: takes its entries one after the other, refuses
 * what may not be there, and writes the others to the volume. Afterwards it can tell what it is a
 * root filesystem of.
 *
 * Used inside the jail only.
 */

#include <stdbool.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/archive-reader.h"
#include "service/worker/image/metadata.h"

typedef struct RootFilesystem RootFilesystem;

/* Unpacks into `root_fd`, or only judges if that is -EBADF. `prefix` is where in the archive its
 * root is, "" or "rootfs". Owners are below `id_count`. */
RootFilesystem *root_filesystem_new(int root_fd, const char *prefix, uint32_t id_count);
RootFilesystem *root_filesystem_free(RootFilesystem *fs);

/* Takes the entry that `reader` is at; `name` is relative to the root, "" for itself. */
int root_filesystem_add(RootFilesystem *fs, const char *name, struct archive_entry *entry,
                        ArchiveReader *reader, Error *ret_error);
/* To be called once, after the last. `may_be_empty`: of a volume, where an image's would not do. */
int root_filesystem_finish(RootFilesystem *fs, bool may_be_empty, Error *ret_error);

/* How many device nodes below dev/ have been left out: a container gets its own /dev. */
uint32_t root_filesystem_get_skipped(const RootFilesystem *fs);
/* What can be said of an image without metadata.yaml. */
int root_filesystem_describe(RootFilesystem *fs, ImageMetadata **ret, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootFilesystem, root_filesystem_free)
