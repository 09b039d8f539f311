/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An archive of either kind that images come in, entry after entry: a tar archive (tar-reader.h) or
 * a squashfs (squashfs-reader.h), which its first bytes tell. What is read of it is judged the
 * same way, so nothing gets in through one that would not through the other.
 *
 * Used inside the jail only.
 */

#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>

#include "service/util/error.h"

typedef struct ArchiveReader ArchiveReader;
/* `fraction` of the archive has been read. */
typedef void (*ArchiveProgress)(void *userdata, double fraction);

/* Reads `fd` from its beginning; it stays the caller's. `size` is how long it is. */
int archive_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                        ArchiveReader **ret, Error *ret_error);
/* A tar archive alone, from a pipe; see tar_reader_open_stream(). */
int archive_reader_open_stream(int fd, uint64_t size, uint64_t max, ArchiveProgress progress,
                               void *userdata, ArchiveReader **ret, Error *ret_error);
ArchiveReader *archive_reader_free(ArchiveReader *reader);

/* Goes to the next entry, which stays the reader's and is gone with the next call. Returns 1, or 0
 * when the archive has ended in due form. */
int archive_reader_next(ArchiveReader *reader, struct archive_entry **ret, Error *ret_error);
/* The next piece of the entry's content; between pieces are holes. Returns 1, or 0 at its end. */
int archive_reader_read(ArchiveReader *reader, const void **ret_data, size_t *ret_size,
                        uint64_t *ret_offset, Error *ret_error);

/* Whether `size` bytes are too many for an archive of `archive_size`. */
int archive_check_amount(uint64_t archive_size, uint64_t size, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveReader, archive_reader_free)
