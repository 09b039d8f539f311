/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Decompresses xz with all processors that there are: what `xz -T0` and the servers of images make
 * is in blocks that do not depend on each other. Of an archive in one block liblzma makes no use of
 * more than one. The threads are liblzma's own, and end with the reader.
 *
 * Used inside the jail only, which has to allow threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/util/error.h"

#define XZ_MAGIC_SIZE 6

typedef struct XzReader XzReader;

bool xz_has_magic(const unsigned char magic[XZ_MAGIC_SIZE]);

/* `fd`, a file, stays the caller's and is read from where it is. */
int xz_reader_open(int fd, XzReader **ret, Error *ret_error);
XzReader *xz_reader_free(XzReader *reader);
/* The next piece, which lives until the next call; *ret_size is 0 at the end. */
int xz_reader_read(XzReader *reader, const void **ret_data, size_t *ret_size, Error *ret_error);
/* How much of the file has been read. */
uint64_t xz_reader_get_position(const XzReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(XzReader, xz_reader_free)
