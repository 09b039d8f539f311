/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/xz-reader.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include <lzma.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"

#define IN_SIZE (128U << 10)
#define OUT_SIZE (256U << 10)

struct XzReader {
        int fd;
        lzma_stream stream;
        lzma_action action;
        uint64_t position;
        bool ended;
        uint8_t in[IN_SIZE], out[OUT_SIZE];
};

bool xz_has_magic(const unsigned char magic[XZ_MAGIC_SIZE]) {
        static const unsigned char xz[XZ_MAGIC_SIZE] = { 0xfd, '7', 'z', 'X', 'Z', 0 };

        return memcmp(magic, xz, sizeof(xz)) == 0;
}

static int failed(lzma_ret code, Error *ret_error) {
        if (code == LZMA_MEM_ERROR || code == LZMA_MEMLIMIT_ERROR)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Unpacking the archive takes more memory than the %u MiB it may "
                                 "have", (unsigned) (JAIL_MEMORY_MAX >> 20));
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The archive is damaged or cut off (%s)",
                         code == LZMA_DATA_ERROR ? "its compressed data are corrupt" :
                         code == LZMA_BUF_ERROR ? "it ends too early" :
                                                  "its form is not one of xz");
}

int xz_reader_open(int fd, XzReader **ret, Error *ret_error) {
        g_autoptr(XzReader) reader = g_new0(XzReader, 1);
        lzma_mt options = {
                .flags = LZMA_CONCATENATED,
                .threads = CLAMP(lzma_cputhreads(), 1, JAIL_THREADS_MAX / 2),
                .memlimit_threading = JAIL_DECODER_MEMORY,
                .memlimit_stop = JAIL_MEMORY_MAX / 2,
        };
        lzma_ret code;

        /* An arena for each thread would take address space for nothing. */
        (void) mallopt(M_ARENA_MAX, 1);
        reader->fd = fd;
        reader->stream = (lzma_stream) LZMA_STREAM_INIT;
        reader->action = LZMA_RUN;
        code = lzma_stream_decoder_mt(&reader->stream, &options);
        if (code != LZMA_OK)
                return failed(code, ret_error);
        *ret = TAKE_PTR(reader);
        return 0;
}

XzReader *xz_reader_free(XzReader *reader) {
        if (!reader)
                return NULL;
        lzma_end(&reader->stream);
        g_free(reader);
        return NULL;
}

static int fill(XzReader *reader, Error *ret_error) {
        ssize_t n;

        do
                n = read(reader->fd, reader->in, sizeof(reader->in));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set_errno(ret_error, errno, "Cannot read the archive");
        if (n == 0)
                reader->action = LZMA_FINISH;
        reader->position += (uint64_t) n;
        reader->stream.next_in = reader->in;
        reader->stream.avail_in = (size_t) n;
        return 0;
}

int xz_reader_read(XzReader *reader, const void **ret_data, size_t *ret_size, Error *ret_error) {
        lzma_stream *stream = &reader->stream;
        lzma_ret code = LZMA_OK;

        stream->next_out = reader->out;
        stream->avail_out = sizeof(reader->out);
        while (!reader->ended && stream->avail_out > 0) {
                int r = 0;

                if (stream->avail_in == 0 && reader->action == LZMA_RUN)
                        r = fill(reader, ret_error);
                if (r < 0)
                        return r;
                code = lzma_code(stream, reader->action);
                if (code == LZMA_STREAM_END)
                        reader->ended = true;
                else if (code != LZMA_OK)
                        return failed(code, ret_error);
        }
        *ret_data = reader->out;
        *ret_size = sizeof(reader->out) - stream->avail_out;
        return 0;
}

uint64_t xz_reader_get_position(const XzReader *reader) {
        return reader->position;
}
