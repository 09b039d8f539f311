/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writes the entries of a root filesystem into an empty directory. Every name is resolved from
 * that directory's fd by the path module, so nothing is reached through a link; that nothing wrong
 * is asked for is the tree's business (tree.h). Directories get their attributes at the end, when
 * nothing more is made in them.
 *
 * Used inside the jail only.
 */

#include "service/util/error.h"
#include "service/worker/image/attributes.h"

typedef struct VolumeWriter VolumeWriter;

/* `root_fd` stays the caller's. */
VolumeWriter *volume_writer_new(int root_fd);
VolumeWriter *volume_writer_free(VolumeWriter *writer);

/* Makes a directory; takes `attributes` over. Once more for the same one, the last ones count.
 * A directory that is not added but is the parent of something is 0755 and root's. */
int volume_writer_add_directory(VolumeWriter *writer, const char *name, Attributes *attributes,
                                Error *ret_error);
/* Makes an empty file with the permissions of `mode` and opens it for writing; attributes_apply(),
 * which then finds most files as they are to be, is the caller's to call. */
int volume_writer_open_file(VolumeWriter *writer, const char *name, mode_t mode, int *ret_fd,
                            Error *ret_error);
int volume_writer_add_symlink(VolumeWriter *writer, const char *name, const char *target,
                              const Attributes *attributes, Error *ret_error);
int volume_writer_add_fifo(VolumeWriter *writer, const char *name, const Attributes *attributes,
                           Error *ret_error);
/* `target` is a file that was made before. */
int volume_writer_add_link(VolumeWriter *writer, const char *name, const char *target,
                           Error *ret_error);
/* Sets the attributes of all directories. */
int volume_writer_finish(VolumeWriter *writer, Error *ret_error);
/* The error for an errno while writing `name`. */
int volume_writer_error(const char *name, int errnum, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeWriter, volume_writer_free)
