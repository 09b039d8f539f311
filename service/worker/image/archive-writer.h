/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writes an archive, of an image or of a container: what compresses it, and the parts that both
 * have. tree-writer.h writes its trees and files.
 *
 * Used inside the jail only.
 */

#include <stdbool.h>

#include <archive.h>
#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/tree-writer.h"

typedef struct archive ArchiveWriter;

/* Compressed with "gzip", "bzip2", "xz", "zstd" or "none"; `fd` stays the caller's. `exact`: times
 * to the nanosecond, which takes a kilobyte a file before it is compressed. */
int archive_writer_open(int fd, const char *compression, bool exact, ArchiveWriter **ret,
                        Error *ret_error);
ArchiveWriter *archive_writer_free(ArchiveWriter *archive);
/* Below `prefix` ("" for the top): metadata.yaml, the templates (IMAGE_TEMPLATES_SIGNATURE), and
 * the tree, whose owners are below `id_count`, as rootfs/. */
int archive_writer_put(ArchiveWriter *archive, const char *prefix, GBytes *metadata,
                       GVariant *templates, int root_fd, uint32_t id_count,
                       TreeProgress progress, void *userdata, Error *ret_error);
/* Writes what is left. */
int archive_writer_finish(ArchiveWriter *archive, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveWriter, archive_writer_free)
