/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer of records when the kernel says no: each call that it makes fails once, with each of
 * the errors that a full disk, a broken one and a host without memory or fds give. Whatever fails,
 * there is one whole record, the old or the new one, and nothing beside it.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/state/record-file.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "tests/unit/test.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_fchmod(int fd, mode_t mode);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_fchmod(int fd, mode_t mode);

static unsigned calls, fail_at;
static int fail_with;
static bool renamed;

static bool readdir_fails;
static unsigned fsyncs;

/* What readdir() is called where offsets have 64 bits. */
struct dirent *__real_readdir64(DIR *dir);
struct dirent *__wrap_readdir64(DIR *dir);

struct dirent *__wrap_readdir64(DIR *dir) {
        if (!readdir_fails)
                return __real_readdir64(dir);
        errno = EIO;
        return NULL;
}

static bool fails(void) {
        if (++calls != fail_at)
                return false;
        errno = fail_with;
        return true;
}

int __wrap_fsync(int fd) {
        fsyncs++;
        return fails() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name) {
        if (fails())
                return -1;
        renamed = true;
        return __real_renameat(old_dir, old_name, new_dir, new_name);
}

ssize_t __wrap_write(int fd, const void *data, size_t size) {
        if (fails())
                return -1;
        /* Not more than half at a time: the rest may fail. */
        return __real_write(fd, data, size > 1 ? size / 2 : size);
}

int __wrap_unlinkat(int dir, const char *name, int flags) {
        return fails() ? -1 : __real_unlinkat(dir, name, flags);
}

int __wrap_fchmod(int fd, mode_t mode) {
        return fails() ? -1 : __real_fchmod(fd, mode);
}

/* openat2(), which opens what is written. */
long __wrap_syscall(long number, ...) {
        long a[4];
        va_list list;

        va_start(list, number);
        for (size_t i = 0; i < ELEMENTSOF(a); i++)
                a[i] = va_arg(list, long);
        va_end(list);
        if (number == SYS_openat2 && ((const struct open_how *) a[2])->flags & O_CREAT && fails())
                return -1;
        return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

static GVariant *record_of(const char *word) {
        return g_variant_ref_sink(g_variant_new_parsed("{'word': <%s>}", word));
}

typedef struct Found {
        unsigned n;
        char *word;
} Found;

static void on_record(const char *name, GVariant *record, void *userdata) {
        Found *found = userdata;

        g_assert_cmpstr(name, ==, "c1");
        found->n++;
        g_free(found->word);
        g_assert_true(g_variant_lookup(record, "word", "s", &found->word));
}

/* The one record that a berthd which starts now would find. */
static char *load(const char *root) {
        g_autoptr(RecordDir) dir = NULL;
        Found found = { 0 };

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        g_assert_cmpint(record_dir_load(dir, on_record, &found, NULL), >=, 0);
        g_assert_cmpuint(found.n, <=, 1);
        return found.word;
}

static unsigned count_files(const char *root) {
        g_autofree char *path = g_build_filename(root, "containers", NULL);
        GDir *d = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        g_assert_nonnull(d);
        while (g_dir_read_name(d))
                n++;
        g_dir_close(d);
        return n;
}

static unsigned count_fds(void) {
        GDir *d = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned n = 0;

        g_assert_nonnull(d);
        while (g_dir_read_name(d))
                n++;
        g_dir_close(d);
        return n;
}

static void remove_root(const char *root) {
        _cleanup_close_ int fd = path_open_dir(g_get_tmp_dir());
        g_autofree char *name = g_path_get_basename(root);

        g_assert_cmpint(path_remove_tree(fd, name), ==, 0);
}

/* True when the call that was to fail was made. */
static bool try_write(const char *root, RecordDir *dir, unsigned n, int error) {
        g_autoptr(GVariant) old = record_of("old"), new = record_of("new");
        g_autofree char *word = NULL;
        unsigned fds;
        int r;

        g_assert_cmpint(record_dir_write(dir, "c1", old, NULL), >=, 0);
        fds = count_fds();
        calls = 0;
        renamed = false;
        fail_at = n;
        fail_with = error;
        r = record_dir_write(dir, "c1", new, NULL);
        fail_at = 0;
        g_assert_cmpuint(count_fds(), ==, fds);
        word = load(root);
        /* When its name could not be brought to disk, either may be found. */
        if (r >= 0 || !renamed)
                g_assert_cmpstr(word, ==, r >= 0 ? "new" : "old");
        g_assert_nonnull(word);
        g_assert_cmpuint(count_files(root), ==, 1);
        return calls >= n;
}

TEST(each_call_of_the_writer_fails) {
        static const int errors[] = { ENOSPC, EIO, EMFILE, ENOMEM, EDQUOT, EROFS };
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autoptr(RecordDir) dir = NULL;
        unsigned total = 0;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        for (size_t e = 0; e < ELEMENTSOF(errors); e++) {
                unsigned n = 1;

                while (try_write(root, dir, n, errors[e]))
                        n++;
                total += n - 1;
        }
        /* The old temporary, the new one, what is in it (twice at least), its mode, its sync, its
         * name, and that of the directory. */
        g_assert_cmpuint(total, >=, 8 * ELEMENTSOF(errors));
        remove_root(root);
}

/* A removal that fails leaves the record, or it is gone; then it can be removed again. */
TEST(each_call_of_a_removal_fails) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autoptr(RecordDir) dir = NULL;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        for (unsigned n = 1; n <= 2; n++) {
                g_autoptr(GVariant) old = record_of("old");
                int r;

                g_assert_cmpint(record_dir_write(dir, "c1", old, NULL), >=, 0);
                calls = 0;
                fail_at = n;
                fail_with = EIO;
                r = record_dir_remove(dir, "c1", NULL);
                fail_at = 0;
                g_assert_cmpint(r, ==, -EIO);
                g_assert_true(record_dir_has(dir, "c1") == (n == 1));
                g_assert_cmpint(record_dir_remove(dir, "c1", NULL), ==, 0);
        }
        remove_root(root);
}

static void count_record(const char *name, GVariant *record, void *userdata) {
        ++*(unsigned *) userdata;
}

/* The end of a directory that cannot be read is not its end. */
TEST(a_directory_that_cannot_be_read_is_no_empty_one) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autoptr(GVariant) record = record_of("word");
        g_autoptr(RecordDir) dir = NULL;
        g_auto(Error) error = ERROR_INIT;
        unsigned n = 0;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        g_assert_cmpint(record_dir_write(dir, "c1", record, NULL), >=, 0);
        readdir_fails = true;
        g_assert_cmpint(record_dir_load(dir, count_record, &n, &error), ==, -EIO);
        readdir_fails = false;
        g_assert_nonnull(strstr(error.message, "Cannot list"));
        g_assert_cmpint(record_dir_load(dir, count_record, &n, NULL), ==, 0);
        g_assert_cmpuint(n, ==, 1);
        remove_root(root);
}

/* A name that cannot be looked at is taken. */
TEST(an_unknown_name_is_not_free) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autofree char *too_long = g_strnfill(1000, 'a');
        g_autoptr(RecordDir) dir = NULL;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        g_assert_false(record_dir_has(dir, "c1"));
        g_assert_true(record_dir_has(dir, too_long));
        remove_root(root);
}

/* Each directory that was made is in its parent on disk: one fsync() for each. */
TEST(new_directories_are_on_disk) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autofree char *deep = g_build_filename(root, "a", "b", NULL);
        g_autoptr(RecordDir) dir = NULL;

        fsyncs = 0;
        g_assert_cmpint(path_make_dirs(deep, 0700), ==, 0);
        g_assert_cmpuint(fsyncs, ==, 2);
        fsyncs = 0;
        g_assert_cmpint(record_dir_open(deep, "containers", &dir, NULL), >=, 0);
        g_assert_cmpuint(fsyncs, ==, 1);
        calls = 0;
        fail_at = 1;
        fail_with = EIO;
        g_free(deep);
        deep = g_build_filename(root, "c", NULL);
        g_assert_cmpint(path_make_dirs(deep, 0700), ==, -EIO);
        fail_at = 0;
        remove_root(root);
}

/* Nothing is waited for, nothing followed, and what a write cannot have left stays. */
TEST(what_else_lies_there) {
        static const char *const staying[] = { "pipe", "link", "directory", ".hidden", ".d.new" };
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autoptr(GVariant) record = record_of("word");
        g_autoptr(RecordDir) dir = NULL;
        _cleanup_close_ int root_fd = path_open_dir(root), fd = -EBADF;
        g_auto(Error) error = ERROR_INIT;
        unsigned n = 0;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        g_assert_cmpint(record_dir_write(dir, "c1", record, NULL), >=, 0);
        fd = path_open_beneath(root_fd, "containers", O_RDONLY | O_DIRECTORY, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(mkfifoat(fd, "pipe", 0600), ==, 0);
        g_assert_cmpint(symlinkat("c1", fd, "link"), ==, 0);
        g_assert_cmpint(mkdirat(fd, "directory", 0700), ==, 0);
        g_assert_cmpint(mkdirat(fd, ".d.new", 0700), ==, 0);
        g_assert_cmpint(path_replace_file(fd, ".hidden", "x", 1, 0600), ==, 0);
        g_assert_cmpint(path_replace_file(fd, ".c1.new", "x", 1, 0600), ==, 0);
        g_assert_cmpint(record_dir_load(dir, count_record, &n, NULL), ==, 0);
        g_assert_cmpuint(n, ==, 1);
        for (size_t i = 0; i < ELEMENTSOF(staying); i++)
                g_assert_true(record_dir_has(dir, staying[i]));
        g_assert_false(record_dir_has(dir, ".c1.new"));

        /* The directory itself is no link either. */
        g_assert_cmpint(symlinkat("containers", root_fd, "images"), ==, 0);
        dir = record_dir_close(dir);
        g_assert_cmpint(record_dir_open(root, "images", &dir, &error), <, 0);
        remove_root(root);
}

/* Whoever has put it there: it is not as the service writes records. */
TEST(what_is_no_record_is_left_out) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autofree char *text = g_strnfill(5 << 20, 'a');
        g_autoptr(GVariant) good = g_variant_ref_sink(g_variant_new_parsed(
                "(uint16 1, {'word': <'w'>, 'x': <true>})"));
        g_autoptr(GVariant) large = g_variant_ref_sink(g_variant_new_parsed(
                "(uint16 1, {'word': <%s>})", text));
        g_autofree guint8 *copy = g_memdup2(g_variant_get_data(good), g_variant_get_size(good));
        g_autoptr(RecordDir) dir = NULL;
        _cleanup_close_ int root_fd = path_open_dir(root), fd = -EBADF;
        guint8 *truth = copy + g_variant_get_size(good);
        unsigned n = 0;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        fd = path_open_beneath(root_fd, "containers", O_RDONLY | O_DIRECTORY, 0);
        g_assert_cmpint(path_replace_file(fd, "good", copy, g_variant_get_size(good), 0600), ==, 0);
        /* A boolean that is neither; before it are its key and padding, behind it its type. */
        while (truth[-1] != 'b')
                truth--;
        truth -= 3;
        g_assert_cmpint(*truth, ==, 1);
        *truth = 2;
        g_assert_cmpint(path_replace_file(fd, "bad", copy, g_variant_get_size(good), 0600), ==, 0);
        g_assert_cmpint(path_replace_file(fd, "large", g_variant_get_data(large),
                                          g_variant_get_size(large), 0600), ==, 0);
        g_assert_cmpint(record_dir_load(dir, count_record, &n, NULL), ==, 0);
        g_assert_cmpuint(n, ==, 1);
        remove_root(root);
}

/* What could not be read again is not written. */
TEST(a_record_too_large_is_refused) {
        g_autofree char *root = g_dir_make_tmp("berth-records-XXXXXX", NULL);
        g_autofree char *text = g_strnfill(5 << 20, 'a'), *fits = g_strnfill(3 << 20, 'a');
        g_autoptr(GVariant) large = record_of(text), old = record_of(fits);
        g_autofree char *word = NULL;
        g_autoptr(RecordDir) dir = NULL;
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(record_dir_open(root, "containers", &dir, NULL), >=, 0);
        g_assert_cmpint(record_dir_write(dir, "c1", old, NULL), >=, 0);
        g_assert_cmpint(record_dir_write(dir, "c1", large, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_LIMITS_EXCEEDED);
        word = load(root);
        g_assert_cmpstr(word, ==, fits);
        remove_root(root);
}

TEST_MAIN()
