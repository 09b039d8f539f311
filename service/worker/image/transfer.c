/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gcrypt.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/interruptible.h"

#define BUFFER_SIZE (256U << 10)
#define DIGEST_SIZE 32

G_STATIC_ASSERT(FINGERPRINT_SIZE == 2 * DIGEST_SIZE);

static int bad_fd(TransferKind kind, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_ARGS,
                         "The archive must be a regular file or a pipe, open for %s",
                         kind == TRANSFER_READ ? "reading" : "writing");
}

int transfer_open(int fd, TransferKind kind, Error *ret_error) {
        _cleanup_close_ int owned = fd;
        int wrong = kind == TRANSFER_READ ? O_WRONLY : O_RDONLY;
        struct stat st;
        int flags, r;

        if (owned < 0 || fstat(owned, &st) < 0)
                return bad_fd(kind, ret_error);
        flags = fcntl(owned, F_GETFL);
        if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == wrong ||
            !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)))
                return bad_fd(kind, ret_error);
        if (S_ISREG(st.st_mode))
                return TAKE_FD(owned);
        r = interruptible_open_pipe(owned, kind == TRANSFER_READ ? O_RDONLY : O_WRONLY);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot open the pipe of the archive") : r;
}

uint64_t transfer_bytes_left(int fd) {
        struct stat st;
        off_t position = lseek(fd, 0, SEEK_CUR);

        if (position < 0 || fstat(fd, &st) < 0 || st.st_size < position)
                return 0;
        return (uint64_t) (st.st_size - position);
}

static ssize_t read_some(int fd, void *data, size_t size) {
        for (;;) {
                ssize_t n = read(fd, data, size);
                int r;

                if (n >= 0)
                        return n;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = interruptible_wait(fd, POLLIN, DEADLINE_NEVER);
                if (r < 0)
                        return r;
        }
}

static int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);
                int r;

                if (n >= 0) {
                        p += n;
                        size -= (size_t) n;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = interruptible_wait(fd, POLLOUT, DEADLINE_NEVER);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- In ---------------------------------------------------------------------------------- */

int digest_new(Digest **ret, Error *ret_error) {
        /* Without secure memory: nothing of this is a secret. */
        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
                (void) gcry_check_version(NULL);
                (void) gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
                (void) gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
        if (gcry_md_open(ret, GCRY_MD_SHA256, 0) != 0)
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "libgcrypt refuses SHA-256");
        return 0;
}

void digest_free(Digest *digest) {
        gcry_md_close(digest);
}

void digest_print(Digest *digest, char ret_fingerprint[FINGERPRINT_SIZE + 1]) {
        const unsigned char *bytes = gcry_md_read(digest, GCRY_MD_SHA256);

        for (size_t i = 0; i < DIGEST_SIZE; i++)
                (void) snprintf(ret_fingerprint + 2 * i, 3, "%02x", bytes[i]);
}

static int write_failed(int r, Error *ret_error) {
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no space left for the archive in %s; delete images or "
                                 "free space on its filesystem", BERTH_STATE_DIR);
        return error_set_errno(ret_error, -r, "Cannot store the archive in %s", BERTH_STATE_DIR);
}

static int copy_in(Worker *worker, int from, int to, const Spool *spool, Digest *digest,
                   uint64_t *ret_size, Error *ret_error) {
        g_autofree void *buffer = g_malloc(BUFFER_SIZE);
        uint64_t size = 0, total = transfer_bytes_left(from), claimed = 0;
        int r;

        for (;;) {
                ssize_t n;

                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                n = read_some(from, buffer, BUFFER_SIZE);
                if (n == -ECANCELED)
                        return worker_cancelled(ret_error);
                if (n < 0)
                        return error_set_errno(ret_error, (int) -n, "Cannot read the archive");
                if (n == 0)
                        break;
                size += (uint64_t) n;
                if (size > IMAGE_ARCHIVE_MAX)
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "The archive is larger than %u GiB",
                                         (unsigned) (IMAGE_ARCHIVE_MAX >> 30));
                if (size > claimed) {
                        claimed = size <= total ? total : spool_next(size);
                        r = spool_claim(spool, to, claimed, ret_error);
                        if (r < 0)
                                return r;
                }
                gcry_md_write(digest, buffer, (size_t) n);
                r = fd_write_all(to, buffer, (size_t) n);
                if (r < 0)
                        return write_failed(r, ret_error);
                worker_progress(worker, "reading the archive",
                                total > 0 ? MIN(1.0, (double) size / (double) total) : -1);
        }
        *ret_size = size;
        return 0;
}

int transfer_in(Worker *worker, int from, int to, const Spool *spool, Digest *digest,
                uint64_t *ret_size, Error *ret_error) {
        uint64_t size = 0;
        int r;

        r = copy_in(worker, from, to, spool, digest, &size, ret_error);
        if (r < 0)
                return r;
        if (ftruncate(to, (off_t) size) < 0 || fsync(to) < 0)
                return write_failed(-errno, ret_error);
        *ret_size = size;
        return 0;
}

int transfer_hash(Worker *worker, int fd, Digest *digest, uint64_t *ret_size, Error *ret_error) {
        g_autofree void *buffer = g_malloc(BUFFER_SIZE);
        uint64_t size = 0;
        ssize_t n;

        while ((n = read_some(fd, buffer, BUFFER_SIZE)) > 0) {
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                gcry_md_write(digest, buffer, (size_t) n);
                size += (uint64_t) n;
        }
        if (n < 0)
                return error_set_errno(ret_error, (int) -n, "Cannot read the archive");
        *ret_size = size;
        return 0;
}

/* --- Out --------------------------------------------------------------------------------- */

static int export_failed(int r, Error *ret_error) {
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r == -EPIPE)
                return error_set(ret_error, ERROR_FAILED,
                                 "The export ended early: nobody reads the other end of the pipe");
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no space left where the image is exported to");
        return error_set_errno(ret_error, -r, "Cannot write the exported image");
}

int transfer_out(Worker *worker, int from, int to, Error *ret_error) {
        g_autofree char *buffer = g_malloc(BUFFER_SIZE);
        uint64_t size = 0, total = transfer_bytes_left(from);

        for (;;) {
                ssize_t n;
                int r;

                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                n = read_some(from, buffer, BUFFER_SIZE);
                if (n < 0)
                        return error_set_errno(ret_error, (int) -n, "Cannot read the image");
                if (n == 0)
                        return 0;
                r = write_all(to, buffer, (size_t) n);
                if (r < 0)
                        return export_failed(r, ret_error);
                size += (uint64_t) n;
                worker_progress(worker, "exporting",
                                total > 0 ? MIN(1.0, (double) size / (double) total) : -1);
        }
}
