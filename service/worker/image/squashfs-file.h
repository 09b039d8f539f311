/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The open file behind a squashfs the way libsquashfs wants it, which can open files only by name.
 *
 * Used inside the jail only.
 */

#include <stdint.h>

#include <sqfs/io.h>

/* `fd` stays the caller's. */
sqfs_file_t *squashfs_file_new(int fd, uint64_t size);
/* How many bytes have been read, those that were read again included. */
uint64_t squashfs_file_get_read(const sqfs_file_t *file);
