/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/publish.h"

#include <errno.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/archive-file.h"
#include "service/worker/image/archive-writer.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/description.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/metadata-writer.h"
#include "service/worker/image/transfer.h"
#include "service/worker/storage/storage.h"

/* What goes into the archive beside the tree. */
typedef struct Content {
        const char *compression;
        GBytes *metadata;
        GVariant *templates; /* IMAGE_TEMPLATES_SIGNATURE */
} Content;

/* --- Inside the jail --------------------------------------------------------------------- */

static void on_progress(void *userdata, double fraction) {
        jail_report_progress(userdata, fraction);
}

static int write_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Content *content = jail->userdata;
        g_autoptr(ArchiveWriter) archive = NULL;
        int r;

        r = archive_writer_open(jail->input_fd, content->compression, false, &archive,
                                ret_error);
        if (r >= 0)
                r = archive_writer_put(archive, "", content->metadata, content->templates,
                                       jail->root_fd, IMAGE_ID_COUNT, on_progress, jail,
                                       ret_error);
        return r < 0 ? r : archive_writer_finish(archive, ret_error);
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
                .wide = true,
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
                r = worker_get_variant(worker, "templates", IMAGE_TEMPLATES_SIGNATURE, &templates,
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
