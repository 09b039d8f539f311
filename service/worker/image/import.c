/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/image/archive-file.h"
#include "service/worker/image/claim.h"
#include "service/worker/image/description.h"
#include "service/worker/image/image-reader.h"
#include "service/worker/image/jail.h"
#include "service/worker/image/transfer.h"
#include "service/worker/storage/storage.h"

/* --- Inside the jail --------------------------------------------------------------------- */

static void on_progress(void *userdata, double fraction) {
        jail_report_progress(userdata, fraction);
}

static int read_in_jail(Jail *jail, GVariantDict *result, Error *ret_error) {
        struct stat st;

        if (fstat(jail->input_fd, &st) < 0)
                return -errno;
        return image_read(jail->input_fd, (uint64_t) st.st_size, jail->root_fd, on_progress, jail,
                          result, ret_error);
}

/* --- Outside ----------------------------------------------------------------------------- */

/* Reads the archive in the jail, unpacks it where `root_fd` is given, and adds what it says. */
static int read_archive(Worker *worker, int archive_fd, int root_fd, bool idmapped,
                        GVariantDict *result, Error *ret_error) {
        const JailSpec spec = {
                .func = read_in_jail,
                .input_fd = archive_fd,
                .root_fd = root_fd,
                .idmapped = idmapped,
                .stage = root_fd >= 0 ? "unpacking" : "checking the archive",
        };
        g_autoptr(GVariant) answer = NULL;
        int r;

        r = jail_run(&spec, worker, &answer, ret_error);
        return r < 0 ? r : image_description_check(answer, result, ret_error);
}

static bool volume_exists(Pool *pool, const char *image) {
        _cleanup_close_ int fd = -EBADF;

        return volume_open(pool, VOLUME_IMAGE, image, &fd, NULL) >= 0;
}

/* Volumes get their name when they are complete, so one that is there needs not be made again. */
static int unpack_to_pool(Worker *worker, int archive_fd, const char *image, GVariantDict *result,
                          Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        g_autoptr(Claim) claim = NULL;
        _cleanup_close_ int root_fd = -EBADF;
        int r;

        r = pool_open(worker, &pool, ret_error);
        if (r >= 0)
                r = claim_take(worker, image, &claim, ret_error);
        if (r < 0)
                return r;
        if (volume_exists(pool, image))
                return read_archive(worker, archive_fd, -EBADF, false, result, ret_error);

        r = volume_begin(pool, VOLUME_IMAGE, image, &root_fd, ret_error);
        if (r < 0)
                return r;
        r = read_archive(worker, archive_fd, root_fd, pool_can_idmap(pool), result, ret_error);
        if (r >= 0) {
                worker_progress(worker, "writing to disk", -1);
                r = volume_commit(pool, VOLUME_IMAGE, image, ret_error);
        }
        if (r < 0) {
                g_auto(Error) error = ERROR_INIT;

                root_fd = fd_close(root_fd);
                if (volume_abort(pool, VOLUME_IMAGE, image, &error) < 0)
                        log_warning("%s", error.message);
        }
        return r;
}

static int import_spooled(Worker *worker, const ArchiveFile *spool, int from, int spool_fd,
                          GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) pool = g_variant_lookup_value(worker->args, "pool", NULL);
        char fingerprint[FINGERPRINT_SIZE + 1];
        _cleanup_close_ int archive_fd = -EBADF;
        uint64_t size;
        int r;

        r = transfer_in(worker, from, spool_fd, fingerprint, &size, ret_error);
        if (r >= 0)
                r = archive_file_sync_name(spool, ret_error);
        if (r >= 0)
                r = archive_file_open(spool, &archive_fd, ret_error);
        if (r >= 0)
                r = pool ? unpack_to_pool(worker, archive_fd, fingerprint, result, ret_error) :
                           read_archive(worker, archive_fd, -EBADF, false, result, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "fingerprint", "s", fingerprint);
        g_variant_dict_insert(result, "size", "t", size);
        g_variant_dict_insert(result, "unpacked", "b", pool != NULL);
        return 0;
}

int image_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(ArchiveFile) spool = NULL;
        _cleanup_close_ int from = -EBADF, spool_fd = -EBADF;
        int r;

        from = transfer_open(worker_take_fd(worker, 0), TRANSFER_READ, ret_error);
        if (from < 0)
                return from;
        r = archive_file_find(worker, "spool", &spool, ret_error);
        if (r >= 0)
                r = archive_file_create(spool, &spool_fd, ret_error);
        if (r < 0)
                return r;
        r = import_spooled(worker, spool, from, spool_fd, result, ret_error);
        if (r < 0)
                archive_file_remove(spool);
        return r;
}

static bool is_fingerprint(const char *name) {
        return strlen(name) == FINGERPRINT_SIZE &&
               strspn(name, "0123456789abcdef") == FINGERPRINT_SIZE;
}

int image_unpack(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(GVariantDict) description = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(ArchiveFile) archive = NULL;
        _cleanup_close_ int archive_fd = -EBADF;
        const char *image;
        int r;

        r = worker_get_string(worker, "image", &image, ret_error);
        if (r < 0)
                return r;
        if (!is_fingerprint(image))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "An image is unpacked under its fingerprint only");
        r = archive_file_find(worker, "archive", &archive, ret_error);
        if (r >= 0)
                r = archive_file_open(archive, &archive_fd, ret_error);
        return r < 0 ? r : unpack_to_pool(worker, archive_fd, image, &description, ret_error);
}
