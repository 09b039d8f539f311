/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gcrypt.h>
#include <lzma.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/bounds.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/tar-builder.h"
#include "tests/unit/test.h"

#define TAR_BLOCK 512

static const struct {
        int number;
        const char *name;
} filters[] = {
        { ARCHIVE_FILTER_NONE, "none" },   { ARCHIVE_FILTER_GZIP, "gzip" },
        { ARCHIVE_FILTER_BZIP2, "bzip2" }, { ARCHIVE_FILTER_XZ, "xz" },
        { ARCHIVE_FILTER_LZMA, "lzma" },   { ARCHIVE_FILTER_ZSTD, "zstd" },
        { ARCHIVE_FILTER_LZ4, "lz4" },
};

static GBytes *make_image(int filter) {
        g_autoptr(TarBuilder) builder = tar_builder_new(ARCHIVE_FORMAT_TAR_USTAR, filter);

        tar_builder_add_image(builder);
        return tar_builder_finish(builder);
}

static GBytes *join(GBytes *a, GBytes *b) {
        GByteArray *all = g_byte_array_new();

        g_byte_array_append(all, g_bytes_get_data(a, NULL), (guint) g_bytes_get_size(a));
        g_byte_array_append(all, g_bytes_get_data(b, NULL), (guint) g_bytes_get_size(b));
        return g_byte_array_free_to_bytes(all);
}

/* --- Damage ------------------------------------------------------------------------------ */

TEST(archives_that_are_cut_off) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();

        for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
                g_autoptr(GBytes) whole = make_image(filters[i].number);
                gsize size = g_bytes_get_size(whole);
                const gsize cuts[] = { 1, size / 3, size * 2 / 3, size - 1 };

                for (size_t k = 0; k < ELEMENTSOF(cuts); k++) {
                        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(whole, 0, cuts[k]);
                        g_autofree char *title = g_strdup_printf("%s cut to %zu of %zu bytes",
                                                                 filters[i].name, cuts[k], size);

                        image_fixture_refuse(fixture, title, cut, ERROR_INVALID_IMAGE, "archive");
                }
        }
}

TEST(archives_that_are_cut_off_at_any_block) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GByteArray) tar = g_byte_array_new();
        g_autoptr(GBytes) whole = NULL;

        tar_append_image(tar);
        tar_append_end(tar);
        whole = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        for (gsize n = 0; n < g_bytes_get_size(whole); n += TAR_BLOCK) {
                g_autoptr(GBytes) cut = g_bytes_new_from_bytes(whole, 0, n);
                g_autofree char *title = g_strdup_printf("%zu bytes", n);

                image_fixture_refuse(fixture, title, cut, ERROR_INVALID_IMAGE, "archive");
        }
}

TEST(archives_with_something_behind) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) garbage = g_bytes_new_static("garbage", 7);

        for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
                g_autoptr(GBytes) once = make_image(filters[i].number);
                g_autoptr(GBytes) twice = join(once, once), mixed = join(once, garbage);

                /* lzma has no notion of a second stream. */
                if (filters[i].number != ARCHIVE_FILTER_LZMA)
                        image_fixture_refuse(fixture, filters[i].name, twice, ERROR_INVALID_IMAGE,
                                             "after its end");
                image_fixture_refuse(fixture, filters[i].name, mixed, ERROR_INVALID_IMAGE,
                                     "archive");
        }
}

TEST(what_is_no_archive) {
        static const struct {
                const char *title;
                const char *bytes;
                size_t size;
        } bad[] = {
                { "nothing", "", 0 },
                { "one byte", "x", 1 },
                { "text", "#!/bin/sh\nrm -rf /\n", 19 },
                { "a zip file", "PK\3\4\24\0\0\0\0\0\0\0\0\0", 14 },
                { "a squashfs", "hsqs\1\0\0\0\0\0\0\0\0\0", 14 },
                { "a cpio archive", "070701000000000000", 18 },
                { "an ar archive", "!<arch>\n", 8 },
                { "an uuencoded file", "begin 644 x\n#86)C\n`\nend\n", 24 },
                { "a gzip header alone", "\x1f\x8b\x08\0\0\0\0\0\0\3", 10 },
                { "a bzip2 header alone", "BZh91AY&SY", 10 },
                { "an xz header alone", "\xfd" "7zXZ\0\0\4\xe6\xd6\xb4\x46", 12 },
                { "a zstd header alone", "\x28\xb5\x2f\xfd\x00\x58", 6 },
                { "an lz4 header alone", "\x04\x22\x4d\x18\x64\x40\xa7", 7 },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) image = make_image(ARCHIVE_FILTER_GZIP);
        g_autoptr(GBytes) twice = tar_compress(image, ARCHIVE_FILTER_XZ);
        g_autofree void *zeros = g_malloc0(10240);
        g_autoptr(GBytes) empty = g_bytes_new(zeros, 10240);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GBytes) archive = g_bytes_new_static(bad[i].bytes, bad[i].size);

                image_fixture_refuse(fixture, bad[i].title, archive, ERROR_INVALID_IMAGE,
                                     "archive");
        }
        image_fixture_refuse(fixture, "compressed twice", twice, ERROR_INVALID_IMAGE,
                             "more than once");
        image_fixture_refuse(fixture, "an empty archive", empty, ERROR_INVALID_IMAGE, "empty");
        for (size_t i = 1; i < ELEMENTSOF(filters); i++) {
                g_autoptr(GBytes) junk = g_bytes_new_static(bad[2].bytes, bad[2].size);
                g_autoptr(GBytes) archive = tar_compress(junk, filters[i].number);

                image_fixture_refuse(fixture, filters[i].name, archive, ERROR_INVALID_IMAGE,
                                     "archive");
        }
}

/* --- Bombs ------------------------------------------------------------------------------- */

/* A zstd stream of pieces, each compressed once and there `n` times. */
static void append_repeated(GByteArray *out, GBytes *piece, unsigned n) {
        g_autoptr(GBytes) frame = tar_compress(piece, ARCHIVE_FILTER_ZSTD);

        for (unsigned i = 0; i < n; i++)
                g_byte_array_append(out, g_bytes_get_data(frame, NULL),
                                    (guint) g_bytes_get_size(frame));
}

static void refuse_array(ImageFixture *fixture, const char *title, GByteArray *array,
                         const char *why) {
        g_autoptr(GBytes) archive = g_bytes_new(array->data, array->len);

        image_fixture_refuse(fixture, title, archive, ERROR_INVALID_IMAGE, why);
}

/* An entry of a file of that size, without its content. */
static void append_header(GByteArray *tar, const char *name, const char *size) {
        tar_append_pax(tar, "size", size, strlen(size));
        tar_append(tar, name, '0', NULL, NULL, 0);
}

TEST(files_that_are_too_large) {
        static const struct {
                const char *size;
                const char *why;
        } bad[] = {
                { "2147483648", "times its size" },
                { "68719476737", "more than 64 GiB" },
                { "9223372036854775807", "archive" },
                { "99999999999999999999999", "archive" },
                { "-1", "archive" },
                { "-9223372036854775808", "archive" },
                { "1e3", "archive" },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GByteArray) tar = g_byte_array_new();

                tar_append_image(tar);
                append_header(tar, "rootfs/f", bad[i].size);
                tar_append_end(tar);
                refuse_array(fixture, bad[i].size, tar, bad[i].why);
        }
}

static GBytes *make_sparse(gint64 size, int n) {
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE);

        tar_builder_add_image(builder);
        for (int i = 0; i < n; i++) {
                g_autofree char *name = g_strdup_printf("rootfs/%d", i);
                struct archive_entry *entry = tar_entry_new(name, S_IFREG | 0644);

                archive_entry_set_size(entry, size);
                archive_entry_sparse_add_entry(entry, 0, 1);
                tar_builder_add(builder, entry, "x", 1);
        }
        return tar_builder_finish(builder);
}

TEST(holes_that_are_too_large) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) large = make_sparse(G_GINT64_CONSTANT(65) << 30, 1);
        g_autoptr(GBytes) largest = make_sparse(G_MAXINT64 - 1, 1);
        g_autoptr(GBytes) together = make_sparse(G_GINT64_CONSTANT(40) << 30, 2);

        image_fixture_refuse(fixture, "large", large, ERROR_INVALID_IMAGE, "more than 64 GiB");
        image_fixture_refuse(fixture, "largest", largest, ERROR_INVALID_IMAGE, "archive");
        image_fixture_refuse(fixture, "together", together, ERROR_INVALID_IMAGE,
                             "more than 64 GiB");
}

TEST(more_data_than_the_archive_can_hold) {
        const guint piece_size = 16 << 20;
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GByteArray) out = g_byte_array_new(), tar = g_byte_array_new();
        g_autofree void *zeros = g_malloc0(piece_size);
        g_autoptr(GBytes) piece = g_bytes_new_take(g_steal_pointer(&zeros), piece_size);
        g_autoptr(GBytes) image = NULL;

        tar_append_image(tar);
        tar_append_end(tar);
        image = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        append_repeated(out, image, 1);
        append_repeated(out, piece, (unsigned) (IMAGE_RATIO_FREE / piece_size) + 1);
        refuse_array(fixture, "zeros behind the end", out, "times its size");
}

TEST(headers_that_are_too_large) {
        static const char types[] = { 'x', 'g', 'L', 'K' };
        const gsize size = 4 << 20;
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *name = g_strnfill(size, 'x');

        for (size_t i = 0; i < sizeof(types); i++) {
                g_autoptr(GByteArray) tar = g_byte_array_new();

                tar_append_image(tar);
                tar_append(tar, "header", types[i], NULL, name, size);
                tar_append(tar, "rootfs/f", '0', NULL, NULL, 0);
                tar_append_end(tar);
                refuse_array(fixture, "a header of 4 MiB", tar, "archive");
        }
}

/* Entries that cost a reader next to nothing, as many as wanted. */
static GBytes *make_many_entries(unsigned n) {
        const unsigned per_piece = 8192;
        g_autoptr(GByteArray) out = g_byte_array_new(), head = g_byte_array_new();
        g_autoptr(GByteArray) many = g_byte_array_new(), end = g_byte_array_new();
        g_autoptr(GBytes) piece = NULL, first = NULL, last = NULL;

        tar_append_image(head);
        for (unsigned i = 0; i < per_piece; i++)
                tar_append(many, "rootfs/bin/", '5', NULL, NULL, 0);
        tar_append_end(end);
        first = g_byte_array_free_to_bytes(g_steal_pointer(&head));
        piece = g_byte_array_free_to_bytes(g_steal_pointer(&many));
        last = g_byte_array_free_to_bytes(g_steal_pointer(&end));
        append_repeated(out, first, 1);
        append_repeated(out, piece, n / per_piece + 1);
        append_repeated(out, last, 1);
        return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

TEST(more_entries_than_an_image_may_have) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) archive = make_many_entries(IMAGE_ENTRIES_MAX);

        g_assert_cmpuint(g_bytes_get_size(archive), <, 1 << 20);
        image_fixture_refuse(fixture, "a million", archive, ERROR_INVALID_IMAGE,
                             "more than 1000000 entries");
}

/* The attributes of directories are kept until the end: 850 KiB of them in each of a thousand. */
TEST(more_memory_than_the_reader_may_have) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *before = image_fixture_listing(fixture), *after = NULL;
        g_autofree char *value = g_strnfill(60000, 'x');
        g_autoptr(GByteArray) out = g_byte_array_new(), head = g_byte_array_new();
        g_autoptr(GBytes) archive = NULL, first = NULL;
        g_autoptr(WorkerClient) client = NULL;
        g_autoptr(GString) records = g_string_new(NULL);

        for (int i = 0; i < 14; i++)
                g_string_append_printf(records, "60028 SCHILY.xattr.user.%02d=%s\n", i, value);
        g_assert_cmpuint(records->len, ==, 14 * 60028);
        tar_append_image(head);
        first = g_byte_array_free_to_bytes(g_steal_pointer(&head));
        append_repeated(out, first, 1);
        for (int i = 0; i < 1000; i++) {
                g_autoptr(GByteArray) tar = g_byte_array_new();
                g_autofree char *name = g_strdup_printf("rootfs/%d/", i);
                g_autoptr(GBytes) piece = NULL;

                tar_append(tar, "pax", 'x', NULL, records->str, records->len);
                tar_append(tar, name, '5', NULL, NULL, 0);
                piece = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
                append_repeated(out, piece, 1);
        }
        archive = g_byte_array_free_to_bytes(g_steal_pointer(&out));
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_error(client, ERROR_INVALID_IMAGE, "768 MiB");
        after = image_fixture_listing(fixture);
        g_assert_cmpstr(before, ==, after);
}

/* --- Decoders that want much memory ------------------------------------------------------ */

/* A zstd frame of one block that is not compressed, with a window of 2^(10 + exponent) bytes. */
static GBytes *make_zstd(unsigned exponent) {
        g_autoptr(GBytes) image = make_image(ARCHIVE_FILTER_NONE);
        guint size = (guint) g_bytes_get_size(image), block = size << 3 | 1;
        const guint8 head[] = {
                0x28, 0xb5, 0x2f, 0xfd, 0, (guint8) (exponent << 3),
                (guint8) block, (guint8) (block >> 8), (guint8) (block >> 16),
        };
        g_autoptr(GBytes) first = g_bytes_new(head, sizeof(head));

        return join(first, image);
}

/* An xz stream whose one block says that it needs a dictionary of 2^(bits / 2 + 12) bytes. */
static GBytes *make_xz(guint8 bits) {
        g_autoptr(GBytes) whole = make_image(ARCHIVE_FILTER_XZ);
        GByteArray *bytes = g_bytes_unref_to_array(g_steal_pointer(&whole));
        guint8 *block = bytes->data + 12, crc[4];
        gsize size = ((gsize) block[0] + 1) * 4;

        /* One filter, LZMA2, with one byte of properties. */
        g_assert_true(block[1] == 0 && block[2] == 0x21 && block[3] == 1);
        block[4] = bits;
        gcry_md_hash_buffer(GCRY_MD_CRC32, crc, block, size - 4);
        for (int i = 0; i < 4; i++)
                block[size - 4 + (gsize) i] = crc[3 - i];
        return g_byte_array_free_to_bytes(bytes);
}

static void accept(ImageFixture *fixture, GBytes *archive) {
        g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);

        worker_client_assert_result(client);
        image_fixture_forget(fixture, archive);
}

TEST(decoders_that_want_too_much_memory) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) zstd_good = make_zstd(13), zstd_bad = make_zstd(21);
        g_autoptr(GBytes) xz_good = make_xz(28), xz_bad = make_xz(37), xz_worst = make_xz(40);

        accept(fixture, zstd_good);
        accept(fixture, xz_good);
        image_fixture_refuse(fixture, "zstd of 2 GiB", zstd_bad, ERROR_INVALID_IMAGE, "memory");
        image_fixture_refuse(fixture, "xz of 1.5 GiB", xz_bad, ERROR_INVALID_IMAGE, "emory");
        image_fixture_refuse(fixture, "xz of 4 GiB", xz_worst, ERROR_INVALID_IMAGE, "emory");
}

/* --- xz in blocks, which are decompressed at the same time -------------------------------- */

/* An image with noise in it, in blocks of 64 KiB. */
static GBytes *make_xz_blocks(void) {
        g_autoptr(TarBuilder) builder = tar_builder_new(ARCHIVE_FORMAT_TAR_USTAR,
                                                        ARCHIVE_FILTER_NONE);
        lzma_mt options = { .threads = 2, .block_size = 64U << 10, .preset = 0,
                            .check = LZMA_CHECK_CRC64 };
        lzma_stream stream = LZMA_STREAM_INIT;
        g_autoptr(GRand) noise = g_rand_new_with_seed(1);
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GBytes) tar = NULL;
        gsize size;
        guint8 *out;

        for (int i = 0; i < 100000; i++)
                g_string_append_printf(text, "%08x", g_rand_int(noise));
        tar_builder_add_image(builder);
        tar_builder_add_file(builder, "rootfs/noise", text->str);
        tar = tar_builder_finish(builder);
        out = g_malloc(g_bytes_get_size(tar) + (1U << 20));
        g_assert_cmpint(lzma_stream_encoder_mt(&stream, &options), ==, LZMA_OK);
        stream.next_in = g_bytes_get_data(tar, &size);
        stream.avail_in = size;
        stream.next_out = out;
        stream.avail_out = g_bytes_get_size(tar) + (1U << 20);
        g_assert_cmpint(lzma_code(&stream, LZMA_FINISH), ==, LZMA_STREAM_END);
        size = stream.total_out;
        lzma_end(&stream);
        return g_bytes_new_take(out, size);
}

TEST(xz_in_blocks) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) whole = make_xz_blocks(), cut = NULL, bad = NULL;
        gsize size = g_bytes_get_size(whole);
        g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(whole, NULL), size);

        accept(fixture, whole);
        cut = g_bytes_new_from_bytes(whole, 0, size / 2);
        image_fixture_refuse(fixture, "cut off", cut, ERROR_INVALID_IMAGE, "ends too early");
        copy[size / 2] ^= 1;
        bad = g_bytes_new(copy, size);
        image_fixture_refuse(fixture, "one bit changed", bad, ERROR_INVALID_IMAGE, "corrupt");
}

/* --- Ends before the end ----------------------------------------------------------------- */

/* The jailed process comes to us when its worker has died. */
static void assert_no_process(void) {
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), <, 0);
        g_assert_cmpint(errno, ==, ECHILD);
}

static void wait_for_stage(WorkerClient *client, const char *stage) {
        do {
                const char *kind;

                g_assert_true(worker_client_next(client, &kind));
                g_assert_cmpstr(kind, ==, "progress");
        } while (!g_str_equal(client->stages->pdata[client->stages->len - 1], stage));
}

TEST(imports_that_are_cancelled) {
        static const char *const stages[] = { "checking the archive", "unpacking" };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *before = image_fixture_listing(fixture);
        g_autoptr(GBytes) archive = make_many_entries(IMAGE_ENTRIES_MAX);

        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
        for (int with_pool = 0; with_pool < 2; with_pool++) {
                _cleanup_close_ int fd = image_fixture_file(archive);
                g_autoptr(WorkerClient) client =
                        image_fixture_start_import(fixture, fd, with_pool);
                g_autofree char *after = NULL;

                wait_for_stage(client, stages[with_pool]);
                worker_client_cancel(client);
                worker_client_finish(client);
                worker_client_assert_error(client, ERROR_CANCELLED, "cancelled");
                after = image_fixture_listing(fixture);
                g_assert_cmpstr(before, ==, after);
                assert_no_process();
        }
}

TEST(an_import_that_is_cancelled_while_nothing_comes) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *before = image_fixture_listing(fixture), *after = NULL;
        g_autoptr(GBytes) archive = make_image(ARCHIVE_FILTER_NONE);
        _cleanup_close_ int from = -EBADF, to = -EBADF;
        g_autoptr(WorkerClient) client = NULL;
        int ends[2];

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        from = ends[0];
        to = ends[1];
        g_assert_cmpint(fd_write_all(to, g_bytes_get_data(archive, NULL), 1000), ==, 0);
        client = image_fixture_start_import(fixture, from, true);
        wait_for_stage(client, "reading the archive");
        worker_client_cancel(client);
        worker_client_finish(client);
        worker_client_assert_error(client, ERROR_CANCELLED, "cancelled");
        after = image_fixture_listing(fixture);
        g_assert_cmpstr(before, ==, after);
}

/* What it has made stays for the sweep, under names of unfinished things; no process does. */
TEST(a_worker_that_is_killed_takes_its_reader_along) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) archive = make_many_entries(IMAGE_ENTRIES_MAX);
        _cleanup_close_ int fd = image_fixture_file(archive);
        g_autofree char *volume = image_fixture_volume(fixture, archive);
        g_autoptr(WorkerClient) client = image_fixture_start_import(fixture, fd, true);
        gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
        int status;

        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
        wait_for_stage(client, "unpacking");
        /* The next report is from inside. */
        g_assert_true(worker_client_next(client, NULL));
        g_assert_cmpint(kill(client->pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(client->pid, &status, 0), ==, client->pid);
        client->pid = 0;
        g_assert_cmpint(waitpid(-1, &status, 0), >, 0);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        assert_no_process();
        g_assert_cmpint(access(volume, F_OK), <, 0);
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
