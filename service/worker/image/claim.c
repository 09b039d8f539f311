/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

struct Claim {
        int dir_fd;
        int fd;
        char *name;
};

Claim *claim_free(Claim *claim) {
        if (!claim)
                return NULL;
        /* While it is locked: whoever waits for this file sees that it has gone. */
        if (claim->fd >= 0)
                (void) unlinkat(claim->dir_fd, claim->name, 0);
        (void) fd_close(claim->fd);
        (void) fd_close(claim->dir_fd);
        g_free(claim->name);
        g_free(claim);
        return NULL;
}

static int open_images(const char *pool_path) {
        _cleanup_close_ int pool_fd = path_open_dir(pool_path);

        if (pool_fd < 0)
                return pool_fd;
        return path_open_beneath(pool_fd, "images", O_RDONLY | O_DIRECTORY, 0);
}

/* -EWOULDBLOCK where another has it. */
static int lock_file(int dir_fd, const char *name) {
        for (;;) {
                _cleanup_close_ int fd =
                        path_open_beneath(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
                struct stat st;

                if (fd < 0)
                        return fd;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_nlink > 0)
                        return TAKE_FD(fd);
        }
}

int claim_take(Worker *worker, const char *image, Claim **ret, Error *ret_error) {
        g_autoptr(Claim) claim = g_new(Claim, 1);
        const char *pool_path;
        int r;

        *claim = (Claim) {
                .dir_fd = -EBADF,
                .fd = -EBADF,
                .name = g_strdup_printf(".%s.lock", image),
        };
        r = worker_get_string(worker, "pool-path", &pool_path, ret_error);
        if (r < 0)
                return r;
        claim->dir_fd = open_images(pool_path);
        r = claim->dir_fd < 0 ? claim->dir_fd : lock_file(claim->dir_fd, claim->name);
        if (r == -EWOULDBLOCK)
                return error_set(ret_error, ERROR_BUSY,
                                 "Image \"%s\" is being unpacked by another job already; wait for "
                                 "it", image);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot lock image \"%s\" in its pool",
                                       image);
        claim->fd = r;
        *ret = TAKE_PTR(claim);
        return 0;
}
