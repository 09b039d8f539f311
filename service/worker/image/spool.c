/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"

#define STEP (G_GUINT64_CONSTANT(64) << 20)

int spool_read(Worker *worker, int dir_fd, Spool *ret, Error *ret_error) {
        g_autoptr(GVariant) max = g_variant_lookup_value(worker->args, "spool-max",
                                                         G_VARIANT_TYPE_UINT64);
        Spool spool = { .dir_fd = dir_fd };
        int r;

        if (max) {
                spool.max = g_variant_get_uint64(max);
                r = worker_get_string(worker, "spool-prefix", &spool.prefix, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = spool;
        return 0;
}

/* The length of all files but the one. */
static int sum_of_others(const Spool *spool, int fd, uint64_t *ret) {
        g_autoptr(GPtrArray) names = NULL;
        struct stat own, st;
        int r;

        if (fstat(fd, &own) < 0)
                return -errno;
        r = path_list_names(spool->dir_fd, &names);
        if (r < 0)
                return r;
        *ret = 0;
        for (guint i = 0; i < names->len; i++) {
                const char *name = names->pdata[i];

                if (!g_str_has_prefix(name, spool->prefix))
                        continue;
                if (fstatat(spool->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        if (errno == ENOENT)
                                continue;
                        return -errno;
                }
                if (st.st_ino != own.st_ino)
                        *ret += (uint64_t) st.st_size;
        }
        return 0;
}

/* With the lock: who claims at the same time sees what the other has got. */
static int claim(const Spool *spool, int fd, uint64_t size, Error *ret_error) {
        g_autofree char *max = NULL;
        uint64_t others;
        int r = sum_of_others(spool, fd, &others);

        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot see how much is coming in");
        if (size > spool->max || others > spool->max - size) {
                max = size_format(spool->max);
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "The archives that one user brings in at the same time may have "
                                 "%s together, and this one would be beyond that; wait for others "
                                 "to end", max);
        }
        if (ftruncate(fd, (off_t) size) < 0)
                return error_set_errno(ret_error, errno, "Cannot make room for the archive");
        return 0;
}

int spool_claim(const Spool *spool, int fd, uint64_t size, Error *ret_error) {
        /* A lock belongs to the open file description, which is this worker's alone. */
        _cleanup_close_ int lock_fd = -EBADF;

        if (!spool->prefix)
                return 0;
        lock_fd = openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lock_fd < 0)
                return error_set_errno(ret_error, errno, "Cannot open the directory of archives");
        while (flock(lock_fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return error_set_errno(ret_error, errno,
                                               "Cannot lock the directory of archives");
        return claim(spool, fd, size, ret_error);
}

uint64_t spool_next(uint64_t size) {
        return (size / STEP + 1) * STEP;
}
