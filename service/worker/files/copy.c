/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/copy.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"

#define BUFFER_SIZE (256U << 10)

typedef struct Copy {
        const Inside *inside;
        int in, out;
        bool sparse;
        uint64_t total; /* 0: not known */
        uint64_t done;
        guint8 *buffer;
} Copy;

int copy_check_fd(int fd, bool write, Error *ret_error) {
        int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no fd for the data");
        if (flags & O_PATH || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || isatty(fd))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The fd for the data has to be a file, a pipe or a socket, and no "
                                 "terminal");
        if ((flags & O_ACCMODE) != O_RDWR && (flags & O_ACCMODE) != (write ? O_WRONLY : O_RDONLY))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The fd for the data can't be %s",
                                 write ? "written" : "read");
        return 0;
}

static int wait_for(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static bool try_again(int fd, short events) {
        if (errno == EINTR)
                return !worker_is_cancelled();
        return errno == EAGAIN && wait_for(fd, events) >= 0 && !worker_is_cancelled();
}

static int write_block(Copy *copy, size_t size) {
        for (size_t at = 0; at < size;) {
                ssize_t n = write(copy->out, copy->buffer + at, size - at);

                if (n >= 0)
                        at += (size_t) n;
                else if (!try_again(copy->out, POLLOUT))
                        return worker_is_cancelled() ? -ECANCELED : -errno;
        }
        return 0;
}

/* At most `left` bytes. *ret_end: the file ends before that. */
static int copy_range(Copy *copy, uint64_t left, bool *ret_end, bool *ret_reading) {
        while (left > 0) {
                ssize_t n = read(copy->in, copy->buffer, MIN(left, BUFFER_SIZE));
                int r;

                *ret_reading = true;
                if (n < 0 && try_again(copy->in, POLLIN))
                        continue;
                if (n < 0)
                        return worker_is_cancelled() ? -ECANCELED : -errno;
                if (n == 0) {
                        *ret_end = true;
                        return 0;
                }
                *ret_reading = false;
                r = write_block(copy, (size_t) n);
                if (r < 0)
                        return r;
                left -= (uint64_t) n;
                copy->done += (uint64_t) n;
                worker_progress(copy->inside->worker, "Copying",
                                copy->total > 0 ? MIN((double) copy->done / (double) copy->total, 1)
                                                : -1);
                if (worker_is_cancelled())
                        return -ECANCELED;
        }
        return 0;
}

/* Leaves a hole up to where the next data of `in` is. Returns how far the data goes, or 0 when
 * only a hole is left, which `out` has then. */
static int skip_hole(Copy *copy, uint64_t *ret_size) {
        off_t at = lseek(copy->in, 0, SEEK_CUR), data, hole, end;

        data = lseek(copy->in, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
                end = lseek(copy->in, 0, SEEK_END);
                hole = lseek(copy->out, MAX(end - at, 0), SEEK_CUR);
                *ret_size = 0;
                return end < 0 || hole < 0 || ftruncate(copy->out, hole) < 0 ? -errno : 0;
        }
        if (data < 0)
                return -errno;
        hole = lseek(copy->in, data, SEEK_HOLE);
        if (hole < 0 || lseek(copy->in, data, SEEK_SET) < 0 ||
            lseek(copy->out, data - at, SEEK_CUR) < 0)
                return -errno;
        copy->done += (uint64_t) (data - at);
        *ret_size = (uint64_t) (hole - data);
        return 0;
}

static int copy_all(Copy *copy, bool *ret_reading) {
        bool end = false;

        while (!end) {
                uint64_t size = UINT64_MAX;
                int r = 0;

                if (copy->sparse)
                        r = skip_hole(copy, &size);
                if (r < 0 || size == 0)
                        return r;
                r = copy_range(copy, size, &end, ret_reading);
                if (r < 0)
                        return r;
        }
        return 0;
}

int copy_data(const Inside *inside, int in, int out, const char *path, uint64_t *ret_size,
              Error *ret_error) {
        g_autofree guint8 *buffer = g_malloc(BUFFER_SIZE);
        Copy copy = { .inside = inside, .in = in, .out = out, .buffer = buffer };
        struct stat from, to;
        bool reading = true;
        int r;

        if (fstat(in, &from) < 0 || fstat(out, &to) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at the data");
        /* Files of procfs say that they are empty, and are not. */
        if (S_ISREG(from.st_mode) && from.st_size > 0) {
                copy.total = (uint64_t) from.st_size;
                copy.sparse = S_ISREG(to.st_mode) && !(fcntl(out, F_GETFL) & O_APPEND) &&
                              lseek(in, 0, SEEK_CUR) < from.st_size &&
                              (uint64_t) from.st_blocks * 512 < copy.total;
        }
        r = copy_all(&copy, &reading);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r == -EPIPE)
                return error_set(ret_error, ERROR_CANCELLED, "Nobody reads the data any more");
        if (r < 0)
                return error_set_errno(ret_error, -r, "Copying \"%s\" failed: the data can't be %s",
                                       path, reading ? "read" : "written");
        *ret_size = copy.done;
        return 0;
}
