/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/squashfs-file.h"

#include <errno.h>
#include <unistd.h>

#include <glib.h>
#include <sqfs/error.h>

typedef struct SquashfsFile {
        sqfs_file_t base; /* first: libsquashfs knows only this */
        int fd;
        uint64_t size;
        uint64_t read;
} SquashfsFile;

static void file_destroy(sqfs_object_t *object) {
        g_free(object);
}

static sqfs_object_t *file_copy(const sqfs_object_t *object) {
        return NULL;
}

static int file_read_at(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size) {
        SquashfsFile *file = (SquashfsFile *) base;
        char *p = buffer;

        if (offset > file->size || size > file->size - offset)
                return SQFS_ERROR_OUT_OF_BOUNDS;
        file->read += size;
        while (size > 0) {
                ssize_t n = pread(file->fd, p, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return SQFS_ERROR_IO;
                if (n == 0)
                        return SQFS_ERROR_OUT_OF_BOUNDS;
                p += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

static int file_write_at(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size) {
        return SQFS_ERROR_IO;
}

static sqfs_u64 file_get_size(const sqfs_file_t *base) {
        return ((const SquashfsFile *) base)->size;
}

static int file_truncate(sqfs_file_t *base, sqfs_u64 size) {
        return SQFS_ERROR_IO;
}

sqfs_file_t *squashfs_file_new(int fd, uint64_t size) {
        SquashfsFile *file = g_new(SquashfsFile, 1);

        *file = (SquashfsFile) {
                .base = {
                        .base = { .destroy = file_destroy, .copy = file_copy },
                        .read_at = file_read_at,
                        .write_at = file_write_at,
                        .get_size = file_get_size,
                        .truncate = file_truncate,
                },
                .fd = fd,
                .size = size,
        };
        return &file->base;
}

uint64_t squashfs_file_get_read(const sqfs_file_t *base) {
        return ((const SquashfsFile *) base)->read;
}
