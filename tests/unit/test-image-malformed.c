/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Thousands of generated archives (archive-generator.h, squashfs-generator.h). Each is read by the
 * code that reads images, inside the real jail, once to be judged and once to be unpacked; many in
 * one jail, for making one takes longer than reading an archive. Every now and then the whole
 * worker does the same and must come to the same verdict.
 *
 * With a number as its argument, and "squashfs" as another, the program shows what becomes of that
 * one.
 */

#include "service/worker/image/image-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/image/jail.h"
#include "tests/unit/archive-generator.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/squashfs-generator.h"
#include "tests/unit/test.h"

#define ARCHIVES 2400
#define SQUASHFS 1200
#define BATCH 100
/* Every so-manyth goes through the worker as well; no divisor of the number of kinds. */
#define SAMPLE 23

#define TIME_MAX_USEC (10 * G_TIME_SPAN_SECOND)
/* Of a process that reads a whole batch; what one image may take is for the jail to bound. A
 * squashfs has blocks of up to 1 MiB, and what is packed in them. */
#define ARCHIVES_MEMORY_MAX_KIB (256 << 10)
#define SQUASHFS_MEMORY_MAX_KIB (512 << 10)

typedef struct Verdict {
        bool is_accepted; /* when it was judged only */
        bool is_unpacked;
        ErrorCode code;   /* where it is not */
        char *message;
} Verdict;

static void verdict_done(Verdict *verdict) {
        g_clear_pointer(&verdict->message, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verdict, verdict_done)

/* --- Inside the jail --------------------------------------------------------------------- */

static GBytes *archives[BATCH];
static unsigned n_archives;

static void ignore_progress(void *userdata, double fraction) {
}

static int open_inside(int root_fd, const char *prefix, unsigned i, unsigned flags) {
        struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0 };
        g_autofree char *name = g_strdup_printf("%s%u", prefix, i);

        if (flags & O_DIRECTORY && mkdirat(root_fd, name, 0755) < 0)
                return -errno;
        return (int) syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
}

static int read_one(unsigned i, int fd, int volume_fd, GVariantBuilder *builder) {
        gsize size;
        const void *data = g_bytes_get_data(archives[i], &size);
        g_auto(GVariantDict) judged = G_VARIANT_DICT_INIT(NULL);
        g_auto(GVariantDict) unpacked = G_VARIANT_DICT_INIT(NULL);
        g_auto(Error) error = ERROR_INIT, second = ERROR_INIT;
        gint64 start = g_get_monotonic_time();
        int r, u;

        if (fd < 0 || volume_fd < 0)
                return -EIO;
        r = fd_write_all(fd, data, size);
        if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -EIO;
        r = image_read(IMAGE_WHOLE, fd, size, -EBADF, ignore_progress, NULL, &judged, &error);
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -EIO;
        u = image_read(IMAGE_WHOLE, fd, size, volume_fd, ignore_progress, NULL, &unpacked, &second);
        g_variant_builder_add(builder, "(bbiss)", r >= 0, u >= 0, (int) second.code,
                              error.message ?: "", second.message ?: "");
        return g_get_monotonic_time() - start > TIME_MAX_USEC ? -ETIMEDOUT : 0;
}

static int read_all(Jail *jail, GVariantDict *result, Error *ret_error) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, (const GVariantType *) "a(bbiss)");
        for (unsigned i = 0; i < n_archives; i++) {
                _cleanup_close_ int fd = open_inside(jail->root_fd, "archive", i,
                                                     O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
                _cleanup_close_ int volume_fd = open_inside(jail->root_fd, "volume", i,
                                                            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                int r = read_one(i, fd, volume_fd, &builder);

                if (r < 0)
                        return error_set_errno(ret_error, -r, "Archive %u of the batch", i);
        }
        g_variant_dict_insert_value(result, "verdicts", g_variant_builder_end(&builder));
        return 0;
}

/* --- Outside ----------------------------------------------------------------------------- */

static GBytes *(*generate)(guint32 seed);

/* Fills in the verdicts of a batch of seeds; false if the process died, which only the last of
 * one archive tells about. */
static bool judge(int root_fd, guint32 first, unsigned n, Verdict *ret, Error *error) {
        const JailSpec spec = {
                .func = read_all,
                .input_fd = root_fd,
                .root_fd = root_fd,
                .idmapped = true,
                .stage = "testing",
        };
        Worker worker = { .channel_fd = -EBADF };
        g_autoptr(GVariant) answer = NULL, verdicts = NULL;

        n_archives = n;
        for (unsigned i = 0; i < n; i++)
                archives[i] = generate(first + i);
        (void) jail_run(&spec, &worker, &answer, error);
        for (unsigned i = 0; i < n; i++)
                g_bytes_unref(archives[i]);
        if (!answer)
                return false;
        verdicts = g_variant_lookup_value(answer, "verdicts", (const GVariantType *) "a(bbiss)");
        g_assert_nonnull(verdicts);
        g_assert_cmpuint(g_variant_n_children(verdicts), ==, n);
        for (unsigned i = 0; i < n; i++) {
                gboolean is_accepted, is_unpacked;
                const char *first_message, *message;
                int code;

                g_variant_get_child(verdicts, i, "(bbi&s&s)", &is_accepted, &is_unpacked, &code,
                                    &first_message, &message);
                /* What is refused unread is refused for the same reason unpacked, unless the
                 * filesystem minds an attribute of an earlier entry. */
                if (!is_accepted && !g_str_equal(first_message, message) &&
                    !(code == ERROR_INVALID_IMAGE && strstr(message, "extended attribute")))
                        g_error("seed %u: \"%s\", but unpacked \"%s\"", first + i, first_message,
                                message);
                ret[i] = (Verdict) { is_accepted, is_unpacked, code, g_strdup(message) };
        }
        return true;
}

/* All that may come of an archive: an image, a word on what is wrong with it, or on an attribute
 * that the pool's filesystem does not take. */
static void check_verdict(guint32 seed, const Verdict *verdict) {
        if (verdict->is_unpacked) {
                g_assert_true(verdict->is_accepted);
                return;
        }
        if (verdict->code == ERROR_INVALID_IMAGE && verdict->message[0] != '\0')
                return;
        /* a squashfs of another version or compression */
        if (verdict->code == ERROR_NOT_SUPPORTED && strstr(verdict->message, "squashfs"))
                return;
        if (verdict->is_accepted && strstr(verdict->message, "extended attribute") &&
            (verdict->code == ERROR_NO_SPACE || verdict->code == ERROR_NOT_SUPPORTED))
                return;
        g_error("seed %u: %s: %s", seed, error_code_to_name(verdict->code), verdict->message);
}

/* Of what has been unpacked nothing is a device, and nobody's that a container cannot have; links
 * and names are as harmless as their directory. */
static void check_volumes(const char *path) {
        const char *const argv[] = {
                "find", path, "(", "-type", "b", "-o", "-type", "c", "-o", "-type", "s", "-o",
                "-uid", "+65535", "-o", "-gid", "+65535", ")", "-print", NULL,
        };
        g_autofree char *found = NULL;

        storage_fixture_program(argv, &found);
        g_assert_cmpstr(found, ==, "");
}

static void check_worker(ImageFixture *fixture, guint32 seed, const Verdict *verdict,
                         const char *before) {
        g_autoptr(GBytes) archive = generate(seed);
        g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);
        g_autofree char *after = NULL;

        if (verdict->is_unpacked != (client->result != NULL))
                g_error("seed %u: \"%s\" in the jail, \"%s\" from the worker", seed,
                        verdict->message, client->error_message);
        if (client->result)
                image_fixture_forget(fixture, archive);
        else
                worker_client_assert_error(client, verdict->code, "");
        after = image_fixture_listing(fixture);
        g_assert_cmpstr(before, ==, after);
}

/* Which of a batch ended the process. */
static void G_GNUC_NORETURN find_culprit(int inside_fd, guint32 first, const Error *why) {
        for (unsigned i = 0; i < BATCH; i++) {
                g_autofree char *name = g_strdup_printf("again%u", i);
                _cleanup_close_ int fd = path_make_dir(inside_fd, name, 0755);
                g_auto(Error) error = ERROR_INIT;
                g_auto(Verdict) verdict = { 0 };

                if (!judge(fd, first + i, 1, &verdict, &error))
                        g_error("seed %u: %s", first + i, error.message);
        }
        g_error("seeds from %u on: %s, but only together", first, why->message);
}

static void read_many(guint32 n, long memory_max_kib) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *path = g_build_filename(fixture->storage->state_dir, "inside", NULL);
        _cleanup_close_ int state_fd = path_open_dir(fixture->storage->state_dir);
        g_autofree char *before = image_fixture_listing(fixture);
        unsigned n_unpacked = 0;
        struct rusage usage;

        for (guint32 first = 0; first < n; first += BATCH) {
                _cleanup_close_ int inside_fd = path_make_dir(state_fd, "inside", 0755);
                g_autofree char *after = NULL;
                g_auto(Error) error = ERROR_INIT;
                Verdict verdicts[BATCH];

                if (!judge(inside_fd, first, BATCH, verdicts, &error))
                        find_culprit(inside_fd, first, &error);
                check_volumes(path);
                g_assert_cmpint(path_remove_tree(state_fd, "inside"), ==, 0);
                after = image_fixture_listing(fixture);
                g_assert_cmpstr(before, ==, after);
                for (unsigned i = 0; i < BATCH; i++) {
                        check_verdict(first + i, &verdicts[i]);
                        if ((first + i) % SAMPLE == 0)
                                check_worker(fixture, first + i, &verdicts[i], before);
                        n_unpacked += verdicts[i].is_unpacked;
                        verdict_done(&verdicts[i]);
                }
        }
        g_assert_cmpint(getrusage(RUSAGE_CHILDREN, &usage), ==, 0);
        printf("  %u of %u unpacked, at most %ld KiB\n", n_unpacked, n, usage.ru_maxrss);
        /* It would test little if all were refused at their first block, or few at all. */
        g_assert_cmpuint(n_unpacked, >, n / 10);
        g_assert_cmpuint(n_unpacked, <, n / 2);
        g_assert_cmpint(usage.ru_maxrss, <, memory_max_kib);
}

TEST(thousands_of_malformed_archives) {
        generate = archive_generate;
        read_many(ARCHIVES, ARCHIVES_MEMORY_MAX_KIB);
}

static void begin_squashfs(void) {
        g_autofree char *directory = g_dir_make_tmp("berth-squashfs.XXXXXX", NULL);

        squashfs_generator_begin(directory);
        g_assert_cmpint(rmdir(directory), ==, 0);
        generate = squashfs_generate;
}

TEST(a_thousand_malformed_squashfs) {
        begin_squashfs();
        read_many(SQUASHFS, SQUASHFS_MEMORY_MAX_KIB);
        squashfs_generator_end();
}

static void show(const char *number) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        _cleanup_close_ int state_fd = path_open_dir(fixture->storage->state_dir);
        _cleanup_close_ int inside_fd = path_make_dir(state_fd, "inside", 0755);
        g_auto(Verdict) verdict = { 0 };
        g_auto(Error) error = ERROR_INIT;
        guint64 seed;

        if (!g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT32, &seed, NULL))
                g_error("%s is no seed", number);
        if (!judge(inside_fd, (guint32) seed, 1, &verdict, &error))
                printf("died: %s\n", error.message);
        else
                printf("%s: %s\n", verdict.is_unpacked ? "unpacked" :
                       error_code_to_name(verdict.code), verdict.message);
}

int main(int argc, char **argv) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        if (argc > 1) {
                generate = archive_generate;
                if (argc > 2 && g_str_equal(argv[2], "squashfs"))
                        begin_squashfs();
                show(argv[1]);
                return 0;
        }
        return test_run();
}
