/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/publish.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/archive-file.h"
#include "service/worker/image/description.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/metadata-writer.h"
#include "service/worker/image/transfer.h"
#include "service/worker/image/tree-writer.h"
#include "service/worker/storage/storage.h"

/* What goes into the archive beside the tree. */
typedef struct Content {
        const char *compression;
        GBytes *metadata;
        GVariant *templates; /* IMAGE_TEMPLATES_TYPE */
} Content;

/* --- Inside the jail --------------------------------------------------------------------- */

typedef struct archive ArchiveWriter;

static void archive_writer_free(ArchiveWriter *archive) {
        (void) archive_write_free(archive);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveWriter, archive_writer_free)

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

static void on_progress(void *userdata, double fraction) {
        jail_report_progress(userdata, fraction);
}

static int write_templates(ArchiveWriter *archive, GVariant *templates, Error *ret_error) {
        for (gsize i = 0; i < g_variant_n_children(templates); i++) {
                g_autofree char *name = g_strdup_printf("templates/%s%zu.tpl",
                                                        METADATA_TEMPLATE_PREFIX, (size_t) i);
                const char *content;
                int r;

                g_variant_get_child(templates, i, "(&s&sasa{ss}b)", NULL, &content, NULL, NULL,
                                    NULL);
                r = tree_write_file(archive, name, content, strlen(content), ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Content *content = jail->userdata;
        g_autoptr(ArchiveWriter) archive = archive_write_new();
        int r;

        if (!archive)
                return -ENOMEM;
        r = add_filter(archive, content->compression, ret_error);
        if (r < 0)
                return r;
        if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
            archive_write_open_fd(archive, jail->input_fd) != ARCHIVE_OK)
                return tree_write_failed(archive, ret_error);
        r = tree_write_file(archive, "metadata.yaml", g_bytes_get_data(content->metadata, NULL),
                            g_bytes_get_size(content->metadata), ret_error);
        if (r >= 0)
                r = write_templates(archive, content->templates, ret_error);
        if (r >= 0)
                r = tree_write(archive, jail->root_fd, "rootfs", on_progress, jail, ret_error);
        if (r >= 0 && archive_write_close(archive) != ARCHIVE_OK)
                r = tree_write_failed(archive, ret_error);
        return r;
}

/* --- Outside ----------------------------------------------------------------------------- */

static int open_source(Worker *worker, Pool *pool, int *ret_fd, Error *ret_error) {
        const char *container, *snapshot;
        g_autofree char *full = NULL;
        int r;

        r = worker_get_string(worker, "container", &container, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "snapshot", &snapshot, ret_error);
        if (r < 0)
                return r;
        if (!*snapshot)
                return volume_open(pool, VOLUME_CONTAINER, container, ret_fd, ret_error);
        full = g_strconcat(container, "/", snapshot, NULL);
        return volume_open(pool, VOLUME_SNAPSHOT, full, ret_fd, ret_error);
}

static int write_archive(Worker *worker, int spool_fd, const Content *content, Error *ret_error) {
        g_autoptr(GVariant) answer = NULL;
        _cleanup_close_ int root_fd = -EBADF;
        g_autoptr(Pool) pool = NULL;
        JailSpec spec = {
                .func = write_in_jail,
                .userdata = content,
                .input_fd = spool_fd,
                .idmapped = true,
                .writes_archive = true,
                .stage = "writing the archive",
        };
        int r;

        r = pool_open(worker, &pool, ret_error);
        if (r >= 0)
                r = open_source(worker, pool, &root_fd, ret_error);
        if (r < 0)
                return r;
        if (!pool_can_idmap(pool))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The container's pool cannot be mounted idmapped; an image cannot "
                                 "be made of what is in it yet");
        spec.root_fd = root_fd;
        return jail_run(&spec, worker, &answer, ret_error);
}

static int describe(Worker *worker, const Content *content, GVariantDict *result,
                    Error *ret_error) {
        g_autoptr(GVariant) description = NULL;
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        static const char *const keys[] = { "architecture", "created", "expires", "properties",
                                            "templates" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(worker->args, keys[i], NULL);

                if (value)
                        g_variant_dict_insert_value(&dict, keys[i], value);
        }
        g_variant_dict_insert(&dict, "skipped-devices", "u", 0U);
        description = g_variant_ref_sink(g_variant_dict_end(&dict));
        return image_description_check(description, result, ret_error);
}

static int publish_to(Worker *worker, const ArchiveFile *spool, int spool_fd,
                      const Content *content, GVariantDict *result, Error *ret_error) {
        char fingerprint[FINGERPRINT_SIZE + 1];
        _cleanup_close_ int archive_fd = -EBADF;
        g_autoptr(Digest) digest = NULL;
        uint64_t size;
        int r;

        r = write_archive(worker, spool_fd, content, ret_error);
        if (r >= 0 && fsync(spool_fd) < 0)
                r = error_set_errno(ret_error, errno, "Cannot write the archive to disk");
        if (r >= 0)
                r = archive_file_sync_name(spool, ret_error);
        if (r >= 0)
                r = archive_file_open(spool, &archive_fd, ret_error);
        if (r >= 0)
                r = digest_new(&digest, ret_error);
        if (r >= 0)
                r = transfer_hash(worker, archive_fd, digest, &size, ret_error);
        if (r < 0)
                return r;
        digest_print(digest, fingerprint);
        g_variant_dict_insert(result, "fingerprint", "s", fingerprint);
        g_variant_dict_insert(result, "size", "t", size);
        g_variant_dict_insert(result, "unpacked", "b", FALSE);
        return 0;
}

int image_publish(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) templates = NULL;
        g_autoptr(GBytes) metadata = NULL;
        g_autoptr(ArchiveFile) spool = NULL;
        _cleanup_close_ int spool_fd = -EBADF;
        Content content = { 0 };
        int r;

        r = worker_get_string(worker, "compression", &content.compression, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "templates", IMAGE_TEMPLATES_TYPE, &templates,
                                       ret_error);
        if (r >= 0)
                r = describe(worker, &content, result, ret_error);
        if (r >= 0)
                r = metadata_write(worker->args, &metadata, ret_error);
        if (r >= 0)
                r = archive_file_find(worker, "spool", &spool, ret_error);
        if (r >= 0)
                r = archive_file_create(spool, &spool_fd, ret_error);
        if (r < 0)
                return r;
        content.templates = templates;
        content.metadata = metadata;
        r = publish_to(worker, spool, spool_fd, &content, result, ret_error);
        if (r < 0)
                archive_file_remove(spool);
        return r;
}
