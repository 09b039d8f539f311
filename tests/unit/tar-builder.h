/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Makes tar archives for tests: sound ones with libarchive in any of its formats and compressions,
 * and any other by writing tar's blocks by hand.
 */

#include <stddef.h>
#include <sys/types.h>

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>

/* --- With libarchive --------------------------------------------------------------------- */

typedef struct TarBuilder TarBuilder;

/* libarchive has no number for it. */
#define TAR_FORMAT_V7 0

/* `format` is ARCHIVE_FORMAT_TAR_* or TAR_FORMAT_V7, `filter` ARCHIVE_FILTER_*. */
TarBuilder *tar_builder_new(int format, int filter);
void tar_builder_free(TarBuilder *builder);
/* Ends the archive and returns it. */
GBytes *tar_builder_finish(TarBuilder *builder);

/* Adds an entry that the caller has filled in; takes it over. */
void tar_builder_add(TarBuilder *builder, struct archive_entry *entry, const void *data,
                     size_t size);
/* An entry of root's, made in 2020. */
struct archive_entry *tar_entry_new(const char *name, mode_t mode);

void tar_builder_add_directory(TarBuilder *builder, const char *name);
void tar_builder_add_file(TarBuilder *builder, const char *name, const char *content);
void tar_builder_add_program(TarBuilder *builder, const char *name);
void tar_builder_add_symlink(TarBuilder *builder, const char *name, const char *target);
void tar_builder_add_link(TarBuilder *builder, const char *name, const char *target);
/* metadata.yaml as small as it may be, and a rootfs/ with a program in it. */
void tar_builder_add_image(TarBuilder *builder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarBuilder, tar_builder_free)

/* --- By hand ----------------------------------------------------------------------------- */

/* Appends an entry: its header, with a right check sum, and its content. Names may be what they
 * like. `type` is a type flag: '0' file, '1' hard link, '2' symbolic link, '3' character device,
 * '5' directory, 'x' pax header... */
void tar_append(GByteArray *tar, const char *name, char type, const char *link,
                const void *content, size_t size);
/* Gives a header that has been changed its check sum. */
void tar_fix_sum(guint8 *header);
/* A pax header for the entry that follows. `value` may hold anything. */
void tar_append_pax(GByteArray *tar, const char *key, const void *value, size_t size);
/* The two blocks that end an archive. */
void tar_append_end(GByteArray *tar);
/* tar_builder_add_image() by hand. */
void tar_append_image(GByteArray *tar);

/* `data` compressed. */
GBytes *tar_compress(GBytes *data, int filter);
