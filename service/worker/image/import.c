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
#include "service/worker/image/bounds.h"
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
        const ImagePart *part = jail->userdata;
        struct stat st;

        if (fstat(jail->input_fd, &st) < 0)
                return -errno;
        return image_read(*part, jail->input_fd, (uint64_t) st.st_size, jail->root_fd, on_progress,
                          jail, result, ret_error);
}

/* --- Outside ----------------------------------------------------------------------------- */

/* Of the root filesystem of a split image nothing is told but this. */
static int check_rootfs_answer(GVariant *answer, GVariantDict *result, Error *ret_error) {
        guint32 skipped;

        if (!g_variant_lookup(answer, "skipped-devices", "u", &skipped) ||
            skipped > IMAGE_ENTRIES_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Reading the root filesystem gave a wrong answer, as a "
                                 "manipulated archive may cause");
        g_variant_dict_insert(result, "skipped-devices", "u", skipped);
        return 0;
}

/* Reads the archive in the jail, unpacks it where `root_fd` is given, and adds what it says. */
static int read_archive(Worker *worker, ImagePart part, int archive_fd, int root_fd, bool idmapped,
                        GVariantDict *result, Error *ret_error) {
        const JailSpec spec = {
                .func = read_in_jail,
                .userdata = &part,
                .input_fd = archive_fd,
                .root_fd = root_fd,
                .idmapped = idmapped,
                .threads = true,
                .stage = root_fd >= 0 ? "unpacking" : "checking the archive",
        };
        g_autoptr(GVariant) answer = NULL;
        int r;

        r = jail_run(&spec, worker, &answer, ret_error);
        if (r < 0)
                return r;
        return part == IMAGE_ROOTFS ? check_rootfs_answer(answer, result, ret_error) :
                                      image_description_check(answer, result, ret_error);
}

static bool volume_exists(Pool *pool, const char *image) {
        _cleanup_close_ int fd = -EBADF;

        return volume_open(pool, VOLUME_IMAGE, image, &fd, NULL) >= 0;
}

/* Volumes get their name when they are complete, so one that is there needs not be made again. */
static int unpack_to_pool(Worker *worker, ImagePart part, int archive_fd, const char *image,
                          GVariantDict *result, Error *ret_error) {
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
                return read_archive(worker, part, archive_fd, -EBADF, false, result, ret_error);

        r = volume_begin(pool, VOLUME_IMAGE, image, &root_fd, ret_error);
        if (r < 0)
                return r;
        r = read_archive(worker, part, archive_fd, root_fd, pool_can_idmap(pool), result,
                         ret_error);
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

/* --- Importing --------------------------------------------------------------------------- */

/* One archive of the image. */
typedef struct Incoming {
        ArchiveFile *spool; /* NULL: there is no such part */
        bool made;
        int fd;             /* of the spool, for reading */
} Incoming;

/* All that an import has to do with. */
typedef struct Import {
        Worker *worker;
        Incoming archive, rootfs;
        Digest *digest;
        uint64_t size;
} Import;

static void import_done(Import *import) {
        Incoming *parts[] = { &import->archive, &import->rootfs };

        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                (void) archive_file_free(parts[i]->spool);
                (void) fd_close(parts[i]->fd);
        }
        if (import->digest)
                digest_free(import->digest);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_done)

/* Brings what comes from a client to our own file, and opens that. */
static int take_part(Import *import, Incoming *part, size_t i, Error *ret_error) {
        _cleanup_close_ int from = -EBADF, to = -EBADF;
        uint64_t size = 0;
        Spool spool;
        int r;

        if (!part->spool)
                return 0;
        r = spool_read(import->worker, archive_file_get_dir(part->spool), &spool, ret_error);
        if (r < 0)
                return r;
        from = transfer_open(worker_take_fd(import->worker, i), TRANSFER_READ, ret_error);
        if (from < 0)
                return from;
        r = archive_file_create(part->spool, &to, ret_error);
        if (r < 0)
                return r;
        part->made = true;
        r = transfer_in(import->worker, from, to, &spool, import->digest, &size, ret_error);
        if (r >= 0)
                r = archive_file_sync_name(part->spool, ret_error);
        if (r >= 0)
                r = archive_file_open(part->spool, &part->fd, ret_error);
        if (r < 0)
                return r;
        import->size += size;
        return 0;
}

static int read_parts(Import *import, const char *fingerprint, GVariantDict *result,
                      Error *ret_error) {
        g_autoptr(GVariant) pool = g_variant_lookup_value(import->worker->args, "pool", NULL);
        ImagePart part = import->rootfs.spool ? IMAGE_ROOTFS : IMAGE_WHOLE;
        int fd = import->rootfs.spool ? import->rootfs.fd : import->archive.fd;
        int r = 0;

        if (part == IMAGE_ROOTFS)
                r = read_archive(import->worker, IMAGE_METADATA, import->archive.fd, -EBADF, false,
                                 result, ret_error);
        if (r >= 0 && pool)
                r = unpack_to_pool(import->worker, part, fd, fingerprint, result, ret_error);
        else if (r >= 0)
                r = read_archive(import->worker, part, fd, -EBADF, false, result, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "unpacked", "b", pool != NULL);
        return 0;
}

/* Nothing is read that is not what was asked for. */
static int check_expected(Worker *worker, const char *fingerprint, Error *ret_error) {
        g_autoptr(GVariant) expected =
                g_variant_lookup_value(worker->args, "expected", G_VARIANT_TYPE_STRING);

        if (!expected || g_str_equal(g_variant_get_string(expected, NULL), fingerprint))
                return 0;
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The image that came has the SHA-256 %.12s..., but should have %.12s...: "
                         "it is damaged, or another one", fingerprint,
                         g_variant_get_string(expected, NULL));
}

static int import_parts(Import *import, GVariantDict *result, Error *ret_error) {
        char fingerprint[FINGERPRINT_SIZE + 1];
        int r;

        r = digest_new(&import->digest, ret_error);
        if (r >= 0)
                r = take_part(import, &import->archive, 0, ret_error);
        if (r >= 0)
                r = take_part(import, &import->rootfs, 1, ret_error);
        if (r < 0)
                return r;
        digest_print(import->digest, fingerprint);
        r = check_expected(import->worker, fingerprint, ret_error);
        if (r < 0)
                return r;
        r = read_parts(import, fingerprint, result, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "fingerprint", "s", fingerprint);
        g_variant_dict_insert(result, "size", "t", import->size);
        return 0;
}

int image_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) rootfs = g_variant_lookup_value(worker->args, "rootfs-spool", NULL);
        g_auto(Import) import = {
                .worker = worker,
                .archive.fd = -EBADF,
                .rootfs.fd = -EBADF,
        };
        int r;

        r = archive_file_find(worker, "spool", &import.archive.spool, ret_error);
        if (r >= 0 && rootfs)
                r = archive_file_find(worker, "rootfs-spool", &import.rootfs.spool, ret_error);
        if (r >= 0)
                r = import_parts(&import, result, ret_error);
        if (r < 0 && import.archive.made)
                archive_file_remove(import.archive.spool);
        if (r < 0 && import.rootfs.made)
                archive_file_remove(import.rootfs.spool);
        return r;
}

/* --- Unpacking once more ----------------------------------------------------------------- */

static bool is_fingerprint(const char *name) {
        return strlen(name) == FINGERPRINT_SIZE &&
               strspn(name, "0123456789abcdef") == FINGERPRINT_SIZE;
}

int image_unpack(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(GVariantDict) description = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(GVariant) rootfs = g_variant_lookup_value(worker->args, "rootfs", NULL);
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
        r = archive_file_find(worker, rootfs ? "rootfs" : "archive", &archive, ret_error);
        if (r >= 0)
                r = archive_file_open(archive, &archive_fd, ret_error);
        if (r < 0)
                return r;
        return unpack_to_pool(worker, rootfs ? IMAGE_ROOTFS : IMAGE_WHOLE, archive_fd, image,
                              &description, ret_error);
}
