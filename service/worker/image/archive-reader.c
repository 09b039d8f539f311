/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/archive-reader.h"

#include <errno.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/squashfs-reader.h"
#include "service/worker/image/tar-reader.h"

/* One of them is there. */
struct ArchiveReader {
        TarReader *tar;
        SquashfsReader *squashfs;
};

int archive_check_amount(uint64_t archive_size, uint64_t size, Error *ret_error) {
        if (size > IMAGE_UNPACKED_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive unpacks to more than %u GiB",
                                 (unsigned) (IMAGE_UNPACKED_MAX >> 30));
        if (size > IMAGE_RATIO_FREE && size / IMAGE_RATIO_MAX > archive_size)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive unpacks to more than %u times its size",
                                 IMAGE_RATIO_MAX);
        return 0;
}

ArchiveReader *archive_reader_free(ArchiveReader *reader) {
        if (!reader)
                return NULL;
        (void) tar_reader_free(reader->tar);
        (void) squashfs_reader_free(reader->squashfs);
        g_free(reader);
        return NULL;
}

int archive_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                        ArchiveReader **ret, Error *ret_error) {
        g_autoptr(ArchiveReader) reader = g_new0(ArchiveReader, 1);
        unsigned char magic[SQUASHFS_MAGIC_SIZE];
        int r;

        if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && squashfs_has_magic(magic))
                r = squashfs_reader_open(fd, size, progress, userdata, &reader->squashfs,
                                         ret_error);
        else
                r = tar_reader_open(fd, size, progress, userdata, &reader->tar, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reader);
        return 0;
}

int archive_reader_open_stream(int fd, uint64_t size, uint64_t max, ArchiveProgress progress,
                               void *userdata, ArchiveReader **ret, Error *ret_error) {
        g_autoptr(ArchiveReader) reader = g_new0(ArchiveReader, 1);
        int r;

        r = tar_reader_open_stream(fd, size, max, progress, userdata, &reader->tar, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reader);
        return 0;
}

int archive_reader_next(ArchiveReader *reader, struct archive_entry **ret, Error *ret_error) {
        return reader->tar ? tar_reader_next(reader->tar, ret, ret_error) :
                             squashfs_reader_next(reader->squashfs, ret, ret_error);
}

int archive_reader_read(ArchiveReader *reader, const void **ret_data, size_t *ret_size,
                        uint64_t *ret_offset, Error *ret_error) {
        return reader->tar ?
                       tar_reader_read(reader->tar, ret_data, ret_size, ret_offset, ret_error) :
                       squashfs_reader_read(reader->squashfs, ret_data, ret_size, ret_offset,
                                            ret_error);
}
