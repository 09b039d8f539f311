/* SPDX-License-Identifier: Apache-2.0 */

/* How much of one user's may be coming in at the same time. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/spool.h"
#include "service/worker/operations.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/tar-builder.h"
#include "tests/unit/test.h"

#define MINE ".1000."
#define OTHERS (G_GUINT64_CONSTANT(5) << 30)

static GBytes *new_image(void) {
        g_autoptr(TarBuilder) builder = tar_builder_new(ARCHIVE_FORMAT_TAR_USTAR,
                                                        ARCHIVE_FILTER_GZIP);

        tar_builder_add_image(builder);
        return tar_builder_finish(builder);
}

/* A file in the directory of archives that has that length and takes no room. */
static int add_file(const ImageFixture *fixture, const char *name, uint64_t size) {
        g_autofree char *path = g_build_filename(fixture->spool_dir, name, NULL);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(ftruncate(fd, (off_t) size), ==, 0);
        return fd;
}

static void remove_file(const ImageFixture *fixture, const char *name) {
        g_autofree char *path = g_build_filename(fixture->spool_dir, name, NULL);

        g_assert_cmpint(unlink(path), ==, 0);
}

/* What is to come in, with a bound for all of this user's. */
static WorkerClient *start_import(const ImageFixture *fixture, int fd, uint64_t max) {
        g_autofree char *spool = g_build_filename(fixture->spool_dir, MINE "1.new", NULL);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "spool", "s", spool);
        g_variant_dict_insert(&args, "spool-prefix", "s", MINE);
        g_variant_dict_insert(&args, "spool-max", "t", max);
        return worker_client_start(WORKER_IMAGE, OPERATION_IMAGE_IMPORT, g_variant_dict_end(&args),
                                   &fd, 1);
}

static void assert_import(const ImageFixture *fixture, int fd, uint64_t max, uint64_t size) {
        g_autofree char *path = g_build_filename(fixture->spool_dir, MINE "1.new", NULL);
        g_autoptr(WorkerClient) client = start_import(fixture, fd, max);
        struct stat st;

        worker_client_finish(client);
        worker_client_assert_result(client);
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpuint((uint64_t) st.st_size, ==, size);
        g_assert_cmpint(unlink(path), ==, 0);
}

static void assert_refusal(const ImageFixture *fixture, int fd, uint64_t max, const char *text) {
        g_autofree char *path = g_build_filename(fixture->spool_dir, MINE "1.new", NULL);
        g_autoptr(WorkerClient) client = start_import(fixture, fd, max);

        worker_client_finish(client);
        worker_client_assert_error(client, ERROR_LIMITS_EXCEEDED, text);
        g_assert_cmpint(access(path, F_OK), ==, -1);
}

TEST(a_file_is_claimed_whole_before_it_is_read) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) archive = new_image();
        _cleanup_close_ int fd = image_fixture_file(archive), mine = -EBADF, his = -EBADF;
        uint64_t size = g_bytes_get_size(archive);

        mine = add_file(fixture, MINE "7.new.rootfs", OTHERS);
        his = add_file(fixture, ".1001.8.new", OTHERS);
        assert_refusal(fixture, fd, OTHERS + size - 1, "5.00GiB together");
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        assert_import(fixture, fd, OTHERS + size, size);
        /* What has gone counts no more. */
        remove_file(fixture, MINE "7.new.rootfs");
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        assert_import(fixture, fd, size, size);
        remove_file(fixture, ".1001.8.new");
}

/* Of a pipe nobody knows how much will come: it is claimed in steps, and given back. */
TEST(a_pipe_is_claimed_step_by_step) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) archive = new_image();
        _cleanup_close_ int mine G_GNUC_UNUSED = add_file(fixture, MINE "7.new", OTHERS);
        uint64_t size = g_bytes_get_size(archive);

        g_assert_cmpuint(size, <, 65536); /* what a pipe holds */
        for (int i = 0; i < 2; i++) {
                int pair[2];

                g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
                g_assert_cmpint(fd_write_all(pair[1], g_bytes_get_data(archive, NULL), size), ==,
                                0);
                (void) close(pair[1]);
                if (i == 0)
                        assert_refusal(fixture, pair[0], OTHERS + spool_next(0) - 1, "together");
                else
                        assert_import(fixture, pair[0], OTHERS + spool_next(0), size);
                (void) close(pair[0]);
        }
        remove_file(fixture, MINE "7.new");
}

TEST(who_claims_at_the_same_time_gets_no_more) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        _cleanup_close_ int dir = open(fixture->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const Spool spool = { .prefix = MINE, .max = 1000, .dir_fd = dir };
        const Spool none = { .dir_fd = dir };
        _cleanup_close_ int one = add_file(fixture, MINE "1.new", 0);
        _cleanup_close_ int two = add_file(fixture, MINE "2.new", 0);
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(spool_claim(&spool, one, 600, NULL), ==, 0);
        g_assert_cmpint(spool_claim(&spool, two, 401, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_LIMITS_EXCEEDED);
        g_assert_cmpint(spool_claim(&spool, two, 400, NULL), ==, 0);
        g_assert_cmpint(spool_claim(&spool, one, 601, NULL), <, 0);
        g_assert_cmpint(spool_claim(&spool, one, 500, NULL), ==, 0);
        g_assert_cmpint(spool_claim(&spool, two, 500, NULL), ==, 0);
        g_assert_cmpint(spool_claim(&spool, two, UINT64_MAX, NULL), <, 0);
        g_assert_cmpint(spool_claim(&none, two, UINT64_MAX, NULL), ==, 0);
        remove_file(fixture, MINE "1.new");
        remove_file(fixture, MINE "2.new");
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
