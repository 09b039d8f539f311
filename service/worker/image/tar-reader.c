/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/tar-reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"
#include "service/worker/image/xz-reader.h"

#define READ_SIZE (128U << 10)
#define TAR_BLOCK_SIZE 512

struct TarReader {
        struct archive *filter; /* decompresses; or, */
        XzReader *xz;           /* where there may be several processors for it, this */
        struct archive *tar;
        ArchiveProgress progress;
        void *userdata;
        uint64_t archive_size;  /* of a stream: 0, or as announced */
        uint64_t unpacked_max;
        uint64_t unpacked;      /* bytes that `filter` has given */
        uint64_t trailing_zeros;
        uint64_t declared;      /* sum of the sizes of all files */
        Error error;            /* of the filter; the tar reader would only pass on a number */
        int stream_fd;          /* -EBADF: a file of our own */
        void *stream_buffer;
        uint64_t stream_read;
};

TarReader *tar_reader_free(TarReader *reader) {
        if (!reader)
                return NULL;
        if (reader->tar)
                (void) archive_read_free(reader->tar);
        if (reader->filter)
                (void) archive_read_free(reader->filter);
        (void) xz_reader_free(reader->xz);
        error_clear(&reader->error);
        g_free(reader->stream_buffer);
        g_free(reader);
        return NULL;
}

static int archive_failed(struct archive *a, Error *ret_error) {
        const char *why = archive_error_string(a);
        g_autofree char *shown = text_for_message(why ?: "unknown reason");

        if (archive_errno(a) == ENOMEM)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Unpacking the archive takes more memory than the %u MiB it may "
                                 "have", (unsigned) (JAIL_MEMORY_MAX >> 20));
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The archive is damaged, cut off or not a tar archive (%s)", shown);
}

/* Whether `size` bytes are too many for an archive of this length. A stream is as long as what has
 * come of it. */
static int check_amount(const TarReader *reader, uint64_t size, Error *ret_error) {
        uint64_t archive_size = reader->stream_fd >= 0 ? reader->stream_read
                                                       : reader->archive_size;

        if (size > reader->unpacked_max)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive unpacks to more than %u GiB",
                                 (unsigned) (reader->unpacked_max >> 30));
        if (size > IMAGE_RATIO_FREE && size / IMAGE_RATIO_MAX > archive_size)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive unpacks to more than %u times its size",
                                 IMAGE_RATIO_MAX);
        return 0;
}

static uint64_t count_trailing_zeros(const char *data, size_t size) {
        size_t n = 0;

        while (n < size && data[size - n - 1] == '\0')
                n++;
        return n;
}

/* libarchive counts by itself; of what liblzma gives this is the beginning. */
static int check_not_compressed(const void *data, size_t size, Error *ret_error) {
        static const struct {
                const char *bytes;
                size_t size;
        } magics[] = {
                { "\xfd" "7zXZ", 5 }, { "\x1f\x8b", 2 }, { "BZh", 3 }, { "\x28\xb5\x2f\xfd", 4 },
                { "\x04\x22\x4d\x18", 4 }, { "\x5d\0\0", 3 },
        };

        for (size_t i = 0; i < ELEMENTSOF(magics); i++)
                if (size >= magics[i].size && memcmp(data, magics[i].bytes, magics[i].size) == 0)
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "The archive is compressed more than once");
        return 0;
}

static int decompress(TarReader *reader, const void **ret_data, size_t *ret_size,
                      Error *ret_error) {
        la_int64_t offset;
        int r;

        if (reader->xz) {
                r = xz_reader_read(reader->xz, ret_data, ret_size, ret_error);
                return r < 0 || reader->unpacked > 0 ?
                               r : check_not_compressed(*ret_data, *ret_size, ret_error);
        }
        r = archive_read_data_block(reader->filter, ret_data, ret_size, &offset);
        if (r == ARCHIVE_EOF)
                *ret_size = 0;
        else if (r != ARCHIVE_OK)
                return archive_failed(reader->filter, ret_error);
        return 0;
}

static uint64_t get_position(const TarReader *reader) {
        return reader->xz ? xz_reader_get_position(reader->xz) :
                            (uint64_t) archive_filter_bytes(reader->filter, -1);
}

/* Gets the next piece of decompressed data; *ret_size is 0 at the end. */
static int filter_read(TarReader *reader, const void **ret_data, size_t *ret_size,
                       Error *ret_error) {
        uint64_t zeros;
        int r;

        r = decompress(reader, ret_data, ret_size, ret_error);
        if (r < 0 || *ret_size == 0)
                return r;

        zeros = count_trailing_zeros(*ret_data, *ret_size);
        reader->trailing_zeros = zeros == *ret_size ? reader->trailing_zeros + zeros : zeros;
        reader->unpacked += *ret_size;
        if (reader->archive_size > 0)
                reader->progress(reader->userdata,
                                 (double) get_position(reader) / (double) reader->archive_size);
        return check_amount(reader, reader->unpacked, ret_error);
}

static la_ssize_t on_read(struct archive *a, void *userdata, const void **ret_data) {
        TarReader *reader = userdata;
        size_t size;
        int r;

        r = filter_read(reader, ret_data, &size, &reader->error);
        if (r < 0) {
                archive_set_error(a, -r, "%s", reader->error.message);
                return ARCHIVE_FATAL;
        }
        return (la_ssize_t) size;
}

static la_ssize_t on_stream_read(struct archive *a, void *userdata, const void **ret_data) {
        TarReader *reader = userdata;
        ssize_t n;

        do
                n = read(reader->stream_fd, reader->stream_buffer, READ_SIZE);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
                archive_set_error(a, errno, "Cannot read: %s", g_strerror(errno));
                return ARCHIVE_FATAL;
        }
        reader->stream_read += (uint64_t) n;
        *ret_data = reader->stream_buffer;
        return n;
}

static int open_source(TarReader *reader, int fd) {
        if (reader->stream_fd < 0)
                return archive_read_open_fd(reader->filter, fd, READ_SIZE);
        return archive_read_open(reader->filter, reader, NULL, on_stream_read, NULL);
}

static int open_filter(TarReader *reader, int fd, Error *ret_error) {
        static int (*const filters[])(struct archive *) = {
                archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
                archive_read_support_filter_xz,   archive_read_support_filter_lzma,
                archive_read_support_filter_zstd, archive_read_support_filter_lz4,
        };
        unsigned char magic[XZ_MAGIC_SIZE];
        struct archive_entry *entry;

        if (reader->stream_fd < 0 && pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
            xz_has_magic(magic))
                return xz_reader_open(fd, &reader->xz, ret_error);
        reader->filter = archive_read_new();
        if (!reader->filter)
                g_error("Out of memory");
        for (size_t i = 0; i < ELEMENTSOF(filters); i++)
                /* A warning says that a program would be run for it. */
                if (filters[i](reader->filter) != ARCHIVE_OK)
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "This libarchive lacks one of gzip, bzip2, xz, lzma, zstd "
                                         "and lz4");
        if (archive_read_support_format_raw(reader->filter) != ARCHIVE_OK ||
            open_source(reader, fd) != ARCHIVE_OK ||
            archive_read_next_header(reader->filter, &entry) != ARCHIVE_OK)
                return archive_failed(reader->filter, ret_error);
        /* The last one stands for the file itself. */
        if (archive_filter_count(reader->filter) > 2)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive is compressed more than once");
        return 0;
}

/* The filter's own error is the cause of the tar reader's. */
static int tar_failed(TarReader *reader, Error *ret_error) {
        int r;

        if (!reader->error.message)
                return archive_failed(reader->tar, ret_error);
        r = -error_code_to_errno(reader->error.code);
        error_move(ret_error, &reader->error);
        return r;
}

static int reader_open(TarReader *template, int fd, TarReader **ret, Error *ret_error) {
        g_autoptr(TarReader) reader = g_memdup2(template, sizeof(*template));
        int r;

        r = open_filter(reader, fd, ret_error);
        if (r < 0)
                return r;

        reader->tar = archive_read_new();
        if (!reader->tar)
                g_error("Out of memory");
        if (archive_read_support_format_tar(reader->tar) != ARCHIVE_OK ||
            archive_read_open(reader->tar, reader, NULL, on_read, NULL) != ARCHIVE_OK)
                return tar_failed(reader, ret_error);
        *ret = TAKE_PTR(reader);
        return 0;
}

int tar_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                    TarReader **ret, Error *ret_error) {
        return reader_open(&(TarReader) {
                .progress = progress,
                .userdata = userdata,
                .archive_size = size,
                .unpacked_max = IMAGE_UNPACKED_MAX,
                .stream_fd = -EBADF,
        }, fd, ret, ret_error);
}

int tar_reader_open_stream(int fd, uint64_t size, uint64_t max, ArchiveProgress progress,
                           void *userdata, TarReader **ret, Error *ret_error) {
        return reader_open(&(TarReader) {
                .progress = progress,
                .userdata = userdata,
                .archive_size = size,
                .unpacked_max = max,
                .stream_fd = fd,
                .stream_buffer = g_malloc(READ_SIZE),
        }, fd, ret, ret_error);
}

/* How long a stream was: as much as the decompressor took, unless something is left. */
static int read_stream_to_end(TarReader *reader, Error *ret_error) {
        const void *data;

        if (on_stream_read(reader->filter, reader, &data) < 0)
                return archive_failed(reader->filter, ret_error);
        reader->archive_size = reader->stream_read;
        return 0;
}

/* Reads what is left, so that the decompressor sees its check sums, and makes sure that it is the
 * two blocks of zeros that end an archive, and padding. Without them it has been cut off. */
static int check_end(TarReader *reader, Error *ret_error) {
        uint64_t end = (uint64_t) archive_read_header_position(reader->tar);
        size_t size;

        do {
                const void *data;
                int r = filter_read(reader, &data, &size, ret_error);

                if (r < 0)
                        return r;
        } while (size > 0);

        if (reader->stream_fd >= 0) {
                int r = read_stream_to_end(reader, ret_error);

                if (r < 0)
                        return r;
        }
        if (reader->unpacked < end + 2 * TAR_BLOCK_SIZE)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive is cut off: the mark at its end is missing");
        /* A decompressor stops at the end of its last stream, whatever follows. */
        if (reader->trailing_zeros < reader->unpacked - end ||
            get_position(reader) != reader->archive_size)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has something after its end");
        return 0;
}

int tar_reader_next(TarReader *reader, struct archive_entry **ret, Error *ret_error) {
        struct archive_entry *entry;
        int r;

        r = archive_read_next_header(reader->tar, &entry);
        if (r == ARCHIVE_EOF)
                return check_end(reader, ret_error);
        /* A warning is about text in an encoding that is not ours; names are bytes to us. */
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
                return tar_failed(reader, ret_error);

        if (archive_entry_filetype(entry) == AE_IFREG && archive_entry_size(entry) > 0) {
                uint64_t size = (uint64_t) archive_entry_size(entry);

                if (size > reader->unpacked_max)
                        return check_amount(reader, size, ret_error);
                reader->declared += size;
                if (reader->declared > reader->unpacked_max)
                        return check_amount(reader, reader->declared, ret_error);
                /* What will not be held by the filter's data needs not to be waited for; of a
                 * stream nobody knows. */
                if (archive_entry_sparse_count(entry) == 0 && reader->stream_fd < 0) {
                        r = check_amount(reader, reader->unpacked + size, ret_error);
                        if (r < 0)
                                return r;
                }
        }
        *ret = entry;
        return 1;
}

int tar_reader_read(TarReader *reader, const void **ret_data, size_t *ret_size,
                    uint64_t *ret_offset, Error *ret_error) {
        la_int64_t offset;
        int r;

        r = archive_read_data_block(reader->tar, ret_data, ret_size, &offset);
        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK)
                return tar_failed(reader, ret_error);
        if (offset < 0 || (uint64_t) offset > reader->unpacked_max)
                return archive_failed(reader->tar, ret_error);
        *ret_offset = (uint64_t) offset;
        return 1;
}
