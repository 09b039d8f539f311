/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/archive-writer.h"

#include <errno.h>
#include <string.h>

#include "service/model/image-template.h"
#include "service/util/cleanup.h"
#include "service/worker/image/metadata-writer.h"

ArchiveWriter *archive_writer_free(ArchiveWriter *archive) {
        if (archive)
                (void) archive_write_free(archive);
        return NULL;
}

static int add_filter(ArchiveWriter *archive, const char *compression, Error *ret_error) {
        static const struct {
                const char *name;
                int (*add)(struct archive *);
        } filters[] = {
                { "none", archive_write_add_filter_none },
                { "gzip", archive_write_add_filter_gzip },
                { "bzip2", archive_write_add_filter_bzip2 },
                { "xz", archive_write_add_filter_xz },
                { "zstd", archive_write_add_filter_zstd },
        };

        for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
                if (!g_str_equal(filters[i].name, compression))
                        continue;
                /* A warning says that a program would be run for it. */
                if (filters[i].add(archive) == ARCHIVE_OK)
                        return 0;
                break;
        }
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "There is no compression \"%s\": gzip, bzip2, xz, zstd or none",
                         compression);
}

int archive_writer_open(int fd, const char *compression, bool exact, ArchiveWriter **ret,
                        Error *ret_error) {
        g_autoptr(ArchiveWriter) archive = archive_write_new();
        int r;

        if (!archive)
                return -ENOMEM;
        r = add_filter(archive, compression, ret_error);
        if (r < 0)
                return r;
        if ((exact ? archive_write_set_format_pax(archive)
                   : archive_write_set_format_pax_restricted(archive)) != ARCHIVE_OK ||
            /* Without padding after the end, which not every decompressor takes. */
            archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
            archive_write_open_fd(archive, fd) != ARCHIVE_OK)
                return tree_write_failed(archive, ret_error);
        *ret = TAKE_PTR(archive);
        return 0;
}

static int put_templates(ArchiveWriter *archive, const char *prefix, GVariant *templates,
                         Error *ret_error) {
        g_autoptr(GVariant) files = g_variant_ref_sink(image_templates_get_files(templates));

        for (gsize i = 0; i < g_variant_n_children(files); i++) {
                g_autofree char *name = NULL;
                const char *file, *content;
                int r;

                g_variant_get_child(files, i, "&s", &file);
                content = image_templates_get(templates, file);
                name = g_build_filename(prefix, "templates", file, NULL);
                r = tree_write_file(archive, name, content, strlen(content), ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int archive_writer_put(ArchiveWriter *archive, const char *prefix, GBytes *metadata,
                       GVariant *templates, int root_fd, uint32_t id_count,
                       TreeProgress progress, void *userdata, Error *ret_error) {
        g_autofree char *name = g_build_filename(prefix, "metadata.yaml", NULL);
        g_autofree char *rootfs = g_build_filename(prefix, "rootfs", NULL);
        int r;

        r = tree_write_file(archive, name, g_bytes_get_data(metadata, NULL),
                            g_bytes_get_size(metadata), ret_error);
        if (r >= 0)
                r = put_templates(archive, prefix, templates, ret_error);
        return r < 0 ? r : tree_write(archive, root_fd, rootfs, id_count, progress, userdata,
                                      ret_error);
}

int archive_writer_finish(ArchiveWriter *archive, Error *ret_error) {
        return archive_write_close(archive) != ARCHIVE_OK ? tree_write_failed(archive, ret_error)
                                                          : 0;
}
