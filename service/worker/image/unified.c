/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/unified.h"

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

struct Unified {
        ArchiveReader *archive;
        RootFilesystem *fs;    /* NULL: in an archive of its own */
        char *prefix;          /* of the root filesystem's entries, in the archive */
        GBytes *metadata;
        GHashTable *templates; /* name to GBytes */
};

Unified *unified_new(ArchiveReader *archive, int root_fd, const char *prefix, uint32_t id_count) {
        Unified *unified = g_new(Unified, 1);

        *unified = (Unified) {
                .archive = archive,
                .prefix = *prefix ? g_strconcat(prefix, "/" ROOTFS_NAME, NULL)
                                  : g_strdup(ROOTFS_NAME),
                .templates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                   (GDestroyNotify) g_bytes_unref),
        };
        unified->fs = root_filesystem_new(root_fd, unified->prefix, id_count);
        return unified;
}

Unified *unified_new_without_rootfs(ArchiveReader *archive) {
        Unified *unified = unified_new(archive, -EBADF, "", IMAGE_ID_COUNT);

        unified->fs = root_filesystem_free(unified->fs);
        return unified;
}

Unified *unified_free(Unified *unified) {
        if (!unified)
                return NULL;
        (void) root_filesystem_free(unified->fs);
        g_free(unified->prefix);
        g_clear_pointer(&unified->metadata, g_bytes_unref);
        g_hash_table_unref(unified->templates);
        g_free(unified);
        return NULL;
}

bool unified_has(const char *name) {
        return entry_name_below(name, METADATA_NAME) || entry_name_below(name, TEMPLATES_NAME) ||
               entry_name_below(name, ROOTFS_NAME);
}

int unified_read_small(ArchiveReader *archive, const char *name, struct archive_entry *entry,
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
        while ((r = archive_reader_read(archive, &data, &size, &offset, ret_error)) > 0) {
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

static int add_metadata(Unified *unified, const char *name, struct archive_entry *entry,
                        Error *ret_error) {
        if (unified->metadata)
                return entry_name_error(name, "there is another entry of that name", ret_error);
        return unified_read_small(unified->archive, name, entry, IMAGE_METADATA_MAX,
                                  &unified->metadata, ret_error);
}

static int add_template(Unified *unified, const char *name, const char *inner,
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
        if (g_hash_table_contains(unified->templates, inner))
                return entry_name_error(name, "there is another entry of that name", ret_error);
        if (g_hash_table_size(unified->templates) >= IMAGE_TEMPLATES_MAX)
                return entry_name_error(name, "there are too many templates", ret_error);
        r = unified_read_small(unified->archive, name, entry, IMAGE_TEMPLATE_MAX, &content,
                               ret_error);
        if (r < 0)
                return r;
        g_hash_table_insert(unified->templates, g_strdup(inner), content);
        return 0;
}

int unified_add(Unified *unified, const char *name, struct archive_entry *entry, Error *ret_error) {
        const char *inner;

        if (name[0] == '\0')
                return 0;
        if (g_str_equal(name, METADATA_NAME))
                return add_metadata(unified, name, entry, ret_error);
        inner = entry_name_below(name, TEMPLATES_NAME);
        if (inner)
                return add_template(unified, name, inner, entry, ret_error);
        inner = entry_name_below(name, ROOTFS_NAME);
        if (inner && !unified->fs)
                return entry_name_error(name, "the root filesystem of this image is in another "
                                        "archive", ret_error);
        if (inner)
                return root_filesystem_add(unified->fs, inner, entry, unified->archive, ret_error);
        return entry_name_error(name, "an image holds metadata.yaml, templates/ and rootfs/ only",
                                ret_error);
}

int unified_finish(Unified *unified, GVariantDict *dict, Error *ret_error) {
        g_autoptr(ImageMetadata) metadata = NULL;
        int r;

        r = unified->fs ? root_filesystem_finish(unified->fs, false, ret_error) : 0;
        if (r < 0)
                return r;
        if (!unified->metadata)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has %s, but no metadata.yaml",
                                 unified->fs ? "rootfs/ or templates/" : "templates/");
        r = image_metadata_parse(g_bytes_get_data(unified->metadata, NULL) ?: "",
                                 g_bytes_get_size(unified->metadata), &metadata, ret_error);
        if (r < 0)
                return r;
        return image_description_build(metadata, unified->templates,
                                       unified->fs ? root_filesystem_get_skipped(unified->fs) : 0,
                                       dict, ret_error);
}
