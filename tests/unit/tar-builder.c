/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tar-builder.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "service/util/cleanup.h"

#define TAR_BLOCK 512
#define YEAR_2020 1577836800

#define METADATA "architecture: x86_64\ncreation_date: 1577836800\n"

/* The beginning of a program for x86_64; more of it is not looked at. */
static const guint8 program[64] = {
        0x7f, 'E', 'L', 'F', 2, 1, 1, 0, [16] = 3, 0, 62, 0, 1,
};

struct TarBuilder {
        struct archive *archive;
        GByteArray *out;
};

static la_ssize_t on_write(struct archive *a, void *userdata, const void *data, size_t size) {
        g_byte_array_append(userdata, data, (guint) size);
        return (la_ssize_t) size;
}

TarBuilder *tar_builder_new(int format, int filter) {
        TarBuilder *builder = g_new(TarBuilder, 1);

        /* libarchive would turn names into the locale's encoding. */
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        *builder = (TarBuilder) { archive_write_new(), g_byte_array_new() };
        if (format == TAR_FORMAT_V7)
                g_assert_cmpint(archive_write_set_format_v7tar(builder->archive), ==, ARCHIVE_OK);
        else
                g_assert_cmpint(archive_write_set_format(builder->archive, format), ==, ARCHIVE_OK);
        if (filter != ARCHIVE_FILTER_NONE)
                g_assert_cmpint(archive_write_add_filter(builder->archive, filter), ==, ARCHIVE_OK);
        (void) archive_write_set_bytes_per_block(builder->archive, 0);
        g_assert_cmpint(archive_write_open(builder->archive, builder->out, NULL, on_write, NULL),
                        ==, ARCHIVE_OK);
        return builder;
}

void tar_builder_free(TarBuilder *builder) {
        if (!builder)
                return;
        if (builder->archive)
                (void) archive_write_free(builder->archive);
        if (builder->out)
                g_byte_array_unref(builder->out);
        g_free(builder);
}

GBytes *tar_builder_finish(TarBuilder *builder) {
        g_assert_cmpint(archive_write_close(builder->archive), ==, ARCHIVE_OK);
        return g_byte_array_free_to_bytes(g_steal_pointer(&builder->out));
}

struct archive_entry *tar_entry_new(const char *name, mode_t mode) {
        struct archive_entry *entry = archive_entry_new();

        archive_entry_set_pathname(entry, name);
        archive_entry_set_mode(entry, mode);
        archive_entry_set_mtime(entry, YEAR_2020, 0);
        archive_entry_set_size(entry, 0);
        return entry;
}

void tar_builder_add(TarBuilder *builder, struct archive_entry *entry, const void *data,
                     size_t size) {
        if (size > 0 && archive_entry_sparse_count(entry) == 0)
                archive_entry_set_size(entry, (la_int64_t) size);
        if (archive_write_header(builder->archive, entry) != ARCHIVE_OK)
                g_error("%s", archive_error_string(builder->archive));
        if (size > 0)
                g_assert_cmpint(archive_write_data(builder->archive, data, size), ==, size);
        archive_entry_free(entry);
}

void tar_builder_add_directory(TarBuilder *builder, const char *name) {
        tar_builder_add(builder, tar_entry_new(name, S_IFDIR | 0755), NULL, 0);
}

void tar_builder_add_file(TarBuilder *builder, const char *name, const char *content) {
        tar_builder_add(builder, tar_entry_new(name, S_IFREG | 0644), content, strlen(content));
}

void tar_builder_add_program(TarBuilder *builder, const char *name) {
        tar_builder_add(builder, tar_entry_new(name, S_IFREG | 0755), program, sizeof(program));
}

void tar_builder_add_symlink(TarBuilder *builder, const char *name, const char *target) {
        struct archive_entry *entry = tar_entry_new(name, S_IFLNK | 0777);

        archive_entry_set_symlink(entry, target);
        tar_builder_add(builder, entry, NULL, 0);
}

void tar_builder_add_link(TarBuilder *builder, const char *name, const char *target) {
        struct archive_entry *entry = tar_entry_new(name, S_IFREG | 0644);

        archive_entry_set_hardlink(entry, target);
        tar_builder_add(builder, entry, NULL, 0);
}

void tar_builder_add_image(TarBuilder *builder) {
        tar_builder_add_file(builder, "metadata.yaml", METADATA);
        tar_builder_add_directory(builder, "rootfs/");
        tar_builder_add_directory(builder, "rootfs/bin/");
        tar_builder_add_program(builder, "rootfs/bin/sh");
}

/* --- By hand ----------------------------------------------------------------------------- */

static void append_padded(GByteArray *tar, const void *data, size_t size) {
        static const guint8 zeros[TAR_BLOCK];

        if (size > 0)
                g_byte_array_append(tar, data, (guint) size);
        if (size % TAR_BLOCK != 0)
                g_byte_array_append(tar, zeros, (guint) (TAR_BLOCK - size % TAR_BLOCK));
}

void tar_fix_sum(guint8 *header) {
        unsigned sum = 0;

        memset(header + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += header[i];
        (void) snprintf((char *) header + 148, 8, "%06o", sum);
}

void tar_append(GByteArray *tar, const char *name, char type, const char *link,
                const void *content, size_t size) {
        char header[TAR_BLOCK] = { 0 };

        g_assert_cmpuint(strlen(name), <=, 100);
        memcpy(header, name, strlen(name));
        (void) snprintf(header + 100, 8, "%07o", type == '5' || type == '3' ? 0755 : 0644);
        (void) snprintf(header + 108, 8, "%07o", 0);
        (void) snprintf(header + 116, 8, "%07o", 0);
        (void) snprintf(header + 124, 12, "%011lo", (unsigned long) size);
        (void) snprintf(header + 136, 12, "%011lo", (unsigned long) YEAR_2020);
        header[156] = type;
        if (link)
                memcpy(header + 157, link, MIN(strlen(link), 100));
        memcpy(header + 257, "ustar\00000", 8);
        (void) snprintf(header + 329, 8, "%07o", 1);
        (void) snprintf(header + 337, 8, "%07o", 3);
        tar_fix_sum((guint8 *) header);
        g_byte_array_append(tar, (const guint8 *) header, sizeof(header));
        append_padded(tar, content, size);
}

void tar_append_pax(GByteArray *tar, const char *key, const void *value, size_t size) {
        g_autoptr(GByteArray) record = g_byte_array_new();
        size_t rest = 1 + strlen(key) + 1 + size + 1, total = rest + 1;
        g_autofree char *length = NULL;

        /* The length counts itself. */
        do {
                g_free(length);
                length = g_strdup_printf("%zu", total);
        } while (rest + strlen(length) != total && (total = rest + strlen(length)));
        g_byte_array_append(record, (const guint8 *) length, (guint) strlen(length));
        g_byte_array_append(record, (const guint8 *) " ", 1);
        g_byte_array_append(record, (const guint8 *) key, (guint) strlen(key));
        g_byte_array_append(record, (const guint8 *) "=", 1);
        g_byte_array_append(record, value, (guint) size);
        g_byte_array_append(record, (const guint8 *) "\n", 1);
        tar_append(tar, "pax", 'x', NULL, record->data, record->len);
}

void tar_append_end(GByteArray *tar) {
        static const guint8 zeros[2 * TAR_BLOCK];

        g_byte_array_append(tar, zeros, sizeof(zeros));
}

void tar_append_image(GByteArray *tar) {
        tar_append(tar, "metadata.yaml", '0', NULL, METADATA, strlen(METADATA));
        tar_append(tar, "rootfs/", '5', NULL, NULL, 0);
        tar_append(tar, "rootfs/bin/", '5', NULL, NULL, 0);
        tar_append(tar, "rootfs/bin/sh", '0', NULL, program, sizeof(program));
}

GBytes *tar_compress(GBytes *data, int filter) {
        g_autoptr(TarBuilder) builder = tar_builder_new(ARCHIVE_FORMAT_RAW, filter);
        gsize size;
        const void *bytes = g_bytes_get_data(data, &size);

        tar_builder_add(builder, tar_entry_new("data", S_IFREG | 0644), bytes, size);
        return tar_builder_finish(builder);
}
