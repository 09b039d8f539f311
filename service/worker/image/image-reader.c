/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/image-reader.h"

#include <errno.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/description.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/root-filesystem.h"
#include "service/worker/image/unified.h"

typedef enum ImageKind {
        IMAGE_UNKNOWN,
        IMAGE_UNIFIED,
        IMAGE_PLAIN,
} ImageKind;

typedef struct ImageReader {
        ArchiveReader *archive;
        ImagePart part;
        int root_fd;
        ImageKind kind;
        Unified *unified;          /* one of these is made once the kind is known */
        RootFilesystem *fs;
        struct archive_entry *top; /* the entry of the top directory, until the kind is known */
        uint32_t n_entries;
} ImageReader;

static void image_reader_done(ImageReader *image) {
        (void) unified_free(image->unified);
        (void) root_filesystem_free(image->fs);
        (void) archive_reader_free(image->archive);
        g_clear_pointer(&image->top, archive_entry_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImageReader, image_reader_done)

static int add_plain(ImageReader *image, const char *name, struct archive_entry *entry,
                     Error *ret_error) {
        if (image->part == IMAGE_METADATA)
                return entry_name_error(name, "the first archive of an image in two holds "
                                        "metadata.yaml and templates/ only", ret_error);
        if (image->part == IMAGE_WHOLE && unified_has(name))
                return entry_name_error(name, "it belongs to an image, but the archive began as a "
                                        "plain root filesystem", ret_error);
        return root_filesystem_add(image->fs, name, entry, image->archive, ret_error);
}

static int decide(ImageReader *image, const char *name, Error *ret_error) {
        int r = 0;

        image->kind = image->part != IMAGE_ROOTFS && unified_has(name) ? IMAGE_UNIFIED
                                                                       : IMAGE_PLAIN;
        if (image->kind == IMAGE_UNIFIED && image->part == IMAGE_METADATA)
                image->unified = unified_new_without_rootfs(image->archive);
        else if (image->kind == IMAGE_UNIFIED)
                image->unified = unified_new(image->archive, image->root_fd, "",
                                              IMAGE_ID_COUNT);
        else
                image->fs = root_filesystem_new(image->root_fd, "", IMAGE_ID_COUNT);
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
        return image->kind == IMAGE_UNIFIED ? unified_add(image->unified, name, entry, ret_error) :
                                              add_plain(image, name, entry, ret_error);
}

static int describe_plain(ImageReader *image, GVariantDict *dict, Error *ret_error) {
        g_autoptr(GHashTable) templates = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(ImageMetadata) metadata = NULL;
        int r;

        r = root_filesystem_finish(image->fs, false, ret_error);
        if (r >= 0 && image->part == IMAGE_ROOTFS) {
                g_variant_dict_insert(dict, "skipped-devices", "u",
                                      root_filesystem_get_skipped(image->fs));
                return 0;
        }
        if (r >= 0)
                r = root_filesystem_describe(image->fs, &metadata, ret_error);
        if (r < 0)
                return r;
        return image_description_build(metadata, templates,
                                       root_filesystem_get_skipped(image->fs), dict, ret_error);
}

int image_read(ImagePart part, int fd, uint64_t size, int root_fd, ArchiveProgress progress,
               void *userdata, GVariantDict *dict, Error *ret_error) {
        g_auto(ImageReader) image = { .part = part, .root_fd = root_fd };
        struct archive_entry *entry;
        int r;

        r = archive_reader_open(fd, size, progress, userdata, &image.archive, ret_error);
        if (r < 0)
                return r;
        while ((r = archive_reader_next(image.archive, &entry, ret_error)) > 0) {
                r = add_entry(&image, entry, ret_error);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (image.kind == IMAGE_UNKNOWN)
                return error_set(ret_error, ERROR_INVALID_IMAGE, "The archive is empty");
        return image.kind == IMAGE_UNIFIED ? unified_finish(image.unified, dict, ret_error) :
                                             describe_plain(&image, dict, ret_error);
}
