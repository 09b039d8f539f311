/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/image-reader.h"

#include <errno.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/description.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/root-filesystem.h"

#define METADATA_NAME "metadata.yaml"
#define TEMPLATES_NAME "templates"
#define ROOTFS_NAME "rootfs"

typedef enum ImageKind {
        IMAGE_UNKNOWN,
        IMAGE_UNIFIED,
        IMAGE_PLAIN,
} ImageKind;

typedef struct ImageReader {
        TarReader *tar;
        int root_fd;
        ImageKind kind;
        RootFilesystem *fs;        /* made once the kind is known */
        struct archive_entry *top; /* the entry of the top directory, until the kind is known */
        GBytes *metadata;
        GHashTable *templates;     /* name to GBytes */
        uint32_t n_entries;
} ImageReader;

static void image_reader_done(ImageReader *image) {
        (void) root_filesystem_free(image->fs);
        (void) tar_reader_free(image->tar);
        g_clear_pointer(&image->top, archive_entry_free);
        g_clear_pointer(&image->metadata, g_bytes_unref);
        g_clear_pointer(&image->templates, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImageReader, image_reader_done)

/* Whether the name is one of those at the top of a unified image, or below. */
static bool name_is_unified(const char *name) {
        return entry_name_below(name, METADATA_NAME) || entry_name_below(name, TEMPLATES_NAME) ||
               entry_name_below(name, ROOTFS_NAME);
}

/* The content of a small file of the image's own. */
static int read_small(ImageReader *image, const char *name, struct archive_entry *entry,
                      size_t max, GBytes **ret, Error *ret_error) {
        g_autoptr(GByteArray) content = g_byte_array_new();
        const void *data;
        uint64_t offset;
        size_t size;
        int r;

        if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG)
                return entry_name_error(name, "it is not a regular file", ret_error);
        if (archive_entry_size(entry) < 0 || (uint64_t) archive_entry_size(entry) > max)
                return entry_name_error(name, "it is too large", ret_error);
        while ((r = tar_reader_read(image->tar, &data, &size, &offset, ret_error)) > 0) {
                if (offset != content->len)
                        return entry_name_error(name, "it has holes", ret_error);
                if (size > max - content->len)
                        return entry_name_error(name, "it is too large", ret_error);
                g_byte_array_append(content, data, (guint) size);
        }
        if (r < 0)
                return r;
        if (content->len != (uint64_t) archive_entry_size(entry))
                return entry_name_error(name, "it has holes", ret_error);
        *ret = g_byte_array_free_to_bytes(TAKE_PTR(content));
        return 0;
}

static int add_metadata(ImageReader *image, const char *name, struct archive_entry *entry,
                        Error *ret_error) {
        if (image->metadata)
                return entry_name_error(name, "there is another entry of that name", ret_error);
        return read_small(image, name, entry, IMAGE_METADATA_MAX, &image->metadata, ret_error);
}

static int add_template(ImageReader *image, const char *name, const char *inner,
                        struct archive_entry *entry, Error *ret_error) {
        GBytes *content;
        int r;

        if (inner[0] == '\0') {
                if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFDIR)
                        return entry_name_error(name, "it is not a directory", ret_error);
                return 0;
        }
        if (!path_is_component(inner))
                return entry_name_error(name, "templates are not in subdirectories", ret_error);
        if (g_hash_table_contains(image->templates, inner))
                return entry_name_error(name, "there is another entry of that name", ret_error);
        if (g_hash_table_size(image->templates) >= IMAGE_TEMPLATES_MAX)
                return entry_name_error(name, "there are too many templates", ret_error);
        r = read_small(image, name, entry, IMAGE_TEMPLATE_MAX, &content, ret_error);
        if (r < 0)
                return r;
        g_hash_table_insert(image->templates, g_strdup(inner), content);
        return 0;
}

static int add_unified(ImageReader *image, const char *name, struct archive_entry *entry,
                       Error *ret_error) {
        const char *inner;

        if (name[0] == '\0')
                return 0;
        if (g_str_equal(name, METADATA_NAME))
                return add_metadata(image, name, entry, ret_error);
        inner = entry_name_below(name, TEMPLATES_NAME);
        if (inner)
                return add_template(image, name, inner, entry, ret_error);
        inner = entry_name_below(name, ROOTFS_NAME);
        if (inner)
                return root_filesystem_add(image->fs, inner, entry, image->tar, ret_error);
        return entry_name_error(name, "an image holds metadata.yaml, templates/ and rootfs/ only",
                                ret_error);
}

static int add_plain(ImageReader *image, const char *name, struct archive_entry *entry,
                     Error *ret_error) {
        if (name_is_unified(name))
                return entry_name_error(name, "it belongs to an image, but the archive began as a "
                                        "plain root filesystem", ret_error);
        return root_filesystem_add(image->fs, name, entry, image->tar, ret_error);
}

static int decide(ImageReader *image, const char *name, Error *ret_error) {
        int r = 0;

        image->kind = name_is_unified(name) ? IMAGE_UNIFIED : IMAGE_PLAIN;
        image->fs = root_filesystem_new(image->root_fd,
                                        image->kind == IMAGE_UNIFIED ? ROOTFS_NAME : "");
        if (image->top && image->kind == IMAGE_PLAIN)
                r = add_plain(image, "", image->top, ret_error);
        g_clear_pointer(&image->top, archive_entry_free);
        return r;
}

static int add_entry(ImageReader *image, struct archive_entry *entry, Error *ret_error) {
        const char *raw = archive_entry_pathname(entry) ?: "";
        bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
        g_autofree char *name = NULL;
        int r;

        if (++image->n_entries > IMAGE_ENTRIES_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has more than %u entries", IMAGE_ENTRIES_MAX);
        r = entry_name_parse(raw, is_directory, &name, ret_error);
        if (r < 0)
                return r;

        if (image->kind == IMAGE_UNKNOWN) {
                if (name[0] == '\0') {
                        g_clear_pointer(&image->top, archive_entry_free);
                        image->top = archive_entry_clone(entry);
                        return 0;
                }
                r = decide(image, name, ret_error);
                if (r < 0)
                        return r;
        }
        return image->kind == IMAGE_UNIFIED ? add_unified(image, name, entry, ret_error) :
                                              add_plain(image, name, entry, ret_error);
}

static int describe(ImageReader *image, GVariantDict *dict, Error *ret_error) {
        g_autoptr(ImageMetadata) metadata = NULL;
        int r;

        if (image->kind == IMAGE_PLAIN)
                r = root_filesystem_describe(image->fs, &metadata, ret_error);
        else if (!image->metadata)
                r = error_set(ret_error, ERROR_INVALID_IMAGE,
                              "The archive has rootfs/ or templates/, but no metadata.yaml");
        else
                r = image_metadata_parse(g_bytes_get_data(image->metadata, NULL) ?: "",
                                         g_bytes_get_size(image->metadata), &metadata, ret_error);
        if (r < 0)
                return r;
        return image_description_build(metadata, image->templates,
                                       root_filesystem_get_skipped(image->fs), dict, ret_error);
}

int image_read(int fd, uint64_t size, int root_fd, TarProgress progress, void *userdata,
               GVariantDict *dict, Error *ret_error) {
        g_auto(ImageReader) image = {
                .root_fd = root_fd,
                .templates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                   (GDestroyNotify) g_bytes_unref),
        };
        struct archive_entry *entry;
        int r;

        r = tar_reader_open(fd, size, progress, userdata, &image.tar, ret_error);
        if (r < 0)
                return r;
        while ((r = tar_reader_next(image.tar, &entry, ret_error)) > 0) {
                r = add_entry(&image, entry, ret_error);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (image.kind == IMAGE_UNKNOWN)
                return error_set(ret_error, ERROR_INVALID_IMAGE, "The archive is empty");
        r = root_filesystem_finish(image.fs, ret_error);
        return r < 0 ? r : describe(&image, dict, ret_error);
}
