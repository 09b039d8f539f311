/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads a tar archive, compressed or not, with libarchive: v7, ustar, pax and GNU; gzip, bzip2, xz,
 * lzma, zstd, lz4. Two readers are chained, one that only decompresses and one that only knows
 * tar, because then what lies between them can be measured: how much has been unpacked from how
 * little, and whether the archive really ends where it says, with nothing after.
 *
 * Used inside the jail only.
 */

#include "service/worker/image/archive-reader.h"

typedef struct TarReader TarReader;

/* Reads `fd` from its current position; it stays the caller's. `size` is how long it is. */
int tar_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                    TarReader **ret, Error *ret_error);
TarReader *tar_reader_free(TarReader *reader);

/* The same of what comes through a pipe or from a file that others may change: `size` is how much
 * it will be, 0 where that is not known, and is for the progress alone. `max` is how much it may
 * unpack to. */
int tar_reader_open_stream(int fd, uint64_t size, uint64_t max, ArchiveProgress progress,
                           void *userdata, TarReader **ret, Error *ret_error);
/* Goes to the next entry, which stays the reader's and is gone with the next call. Returns 1, or 0
 * when the archive has ended in due form. */
int tar_reader_next(TarReader *reader, struct archive_entry **ret, Error *ret_error);
/* The next piece of the entry's content; between pieces are holes. Returns 1, or 0 at its end. */
int tar_reader_read(TarReader *reader, const void **ret_data, size_t *ret_size,
                    uint64_t *ret_offset, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarReader, tar_reader_free)
