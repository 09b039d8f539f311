/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads a squashfs, version 4, with libsquashfs: never the kernel's driver, which trusts whoever
 * made the image, nor unsquashfs, which would have to be let write by itself. Entries come as an
 * archive's would: a directory, then all in it that is no directory, then the directories in it one
 * after the other; further names of a file as hard links.
 *
 * Everything in a squashfs is found by offsets that whoever made the image chose, so a directory
 * may be in itself and data may be used again and again: depth, entries and amount have bounds, as
 * they have in a tar archive.
 *
 * Used inside the jail only.
 */

#include <stdbool.h>

#include "service/worker/image/archive-reader.h"

#define SQUASHFS_MAGIC_SIZE 4

typedef struct SquashfsReader SquashfsReader;

/* Whether an archive that begins so is one. */
bool squashfs_has_magic(const unsigned char magic[SQUASHFS_MAGIC_SIZE]);

/* As those of ArchiveReader. */
int squashfs_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                         SquashfsReader **ret, Error *ret_error);
SquashfsReader *squashfs_reader_free(SquashfsReader *reader);
int squashfs_reader_next(SquashfsReader *reader, struct archive_entry **ret, Error *ret_error);
int squashfs_reader_read(SquashfsReader *reader, const void **ret_data, size_t *ret_size,
                         uint64_t *ret_offset, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SquashfsReader, squashfs_reader_free)
