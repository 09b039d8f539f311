/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Makes squashfs images for tests: whole ones by mksquashfs, and from these damaged ones, the same
 * for the same seed. Most damage is done to tables that are not compressed, so that it gets past
 * the decompressor to the code that follows what they say.
 */

#include <glib.h>

/* What `directory` holds, with more arguments for mksquashfs, NULL last. */
GBytes *squashfs_make(const char *directory, ...) G_GNUC_NULL_TERMINATED;

/* To be called once before the next, and after the last. `directory` is to be empty. */
void squashfs_generator_begin(const char *directory);
void squashfs_generator_end(void);
GBytes *squashfs_generate(guint32 seed);
