/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/unit/test.h"

/* A fresh directory that goes away with the scope. */
typedef struct Fixture {
        char *path;
        int fd;
} Fixture;

static Fixture fixture_new(void) {
        Fixture f = { .path = g_strdup("/tmp/berth-test-path.XXXXXX") };

        g_assert_nonnull(mkdtemp(f.path));
        f.fd = path_open_dir(f.path);
        g_assert_cmpint(f.fd, >=, 0);
        return f;
}

static void fixture_done(Fixture *f) {
        g_autofree char *name = g_path_get_basename(f->path);
        _cleanup_close_ int parent = path_open_dir("/tmp");

        (void) close(f->fd);
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_assert_cmpint(access(f->path, F_OK), ==, -1);
        g_free(f->path);
}

TEST(names_that_lead_elsewhere_are_refused) {
        static const char *const bad[] = {
                "", "/", "/etc", "..", ".", "a/..", "../a", "a//b", "a/", "a/./b",
        };
        Fixture f = fixture_new();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                g_assert_cmpint(path_open_beneath(f.fd, bad[i], O_RDONLY, 0), ==, -EINVAL);
        fixture_done(&f);
}

TEST(links_are_not_followed) {
        Fixture f = fixture_new();

        g_assert_cmpint(symlinkat("/etc", f.fd, "out"), ==, 0);
        g_assert_cmpint(symlinkat("/proc/self/root", f.fd, "magic"), ==, 0);
        g_assert_cmpint(path_open_beneath(f.fd, "out", O_RDONLY, 0), ==, -ELOOP);
        g_assert_cmpint(path_open_beneath(f.fd, "out/passwd", O_RDONLY, 0), ==, -ELOOP);
        g_assert_cmpint(path_open_beneath(f.fd, "magic/etc", O_RDONLY, 0), ==, -ELOOP);
        fixture_done(&f);
}

TEST(mounts_are_not_entered) {
        _cleanup_close_ int root = path_open_dir("/");

        g_assert_cmpint(path_open_beneath(root, "proc", O_RDONLY | O_DIRECTORY, 0), ==, -EXDEV);
        g_assert_cmpint(path_open_beneath(root, "proc/version", O_RDONLY, 0), ==, -EXDEV);
}

TEST(programs_that_are_executed_get_no_fd) {
        Fixture f = fixture_new();
        _cleanup_close_ int dir = path_make_dir(f.fd, "a", 0700), again = -EBADF;

        g_assert_cmpint(fcntl(f.fd, F_GETFD), ==, FD_CLOEXEC);
        g_assert_cmpint(fcntl(dir, F_GETFD), ==, FD_CLOEXEC);
        again = path_open_beneath(f.fd, "a", O_PATH, 0);
        g_assert_cmpint(fcntl(again, F_GETFD), ==, FD_CLOEXEC);
        fixture_done(&f);
}

TEST(a_path_fd_can_be_had_of_anything) {
        Fixture f = fixture_new();
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        g_assert_cmpint(symlinkat("/etc", f.fd, "link"), ==, 0);
        fd = path_open_beneath(f.fd, "link", O_PATH | O_NOFOLLOW, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_true(S_ISLNK(st.st_mode));
        fixture_done(&f);
}

TEST(a_file_is_replaced_whole) {
        Fixture f = fixture_new();
        g_autoptr(GBytes) bytes = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        g_assert_cmpint(path_replace_file(f.fd, "x", "one", 3, 0600), ==, 0);
        g_assert_cmpint(path_replace_file(f.fd, "x", "second", 6, 0600), ==, 0);
        fd = path_open_beneath(f.fd, "x", O_RDONLY, 0);
        g_assert_cmpint(fd_read_all(fd, 100, &bytes), ==, 0);
        g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "second", 6);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0600);
        g_assert_cmpint(faccessat(f.fd, ".x.new", F_OK, 0), ==, -1);
        g_assert_cmpint(path_remove_file(f.fd, "x"), ==, 0);
        g_assert_cmpint(path_remove_file(f.fd, "x"), ==, -ENOENT);
        fixture_done(&f);
}

TEST(removing_a_tree_stays_inside) {
        Fixture f = fixture_new(), other = fixture_new();
        _cleanup_close_ int a = path_make_dir(f.fd, "a", 0700);
        _cleanup_close_ int b = path_make_dir(a, "b", 0700);

        g_assert_cmpint(path_replace_file(other.fd, "keep", "k", 1, 0600), ==, 0);
        g_assert_cmpint(symlinkat(other.path, b, "link"), ==, 0);
        g_assert_cmpint(path_remove_tree(f.fd, "a"), ==, 0);
        g_assert_cmpint(faccessat(f.fd, "a", F_OK, 0), ==, -1);
        g_assert_cmpint(faccessat(other.fd, "keep", F_OK, 0), ==, 0);
        g_assert_cmpint(path_remove_tree(f.fd, "a"), ==, 0);
        fixture_done(&f);
        fixture_done(&other);
}

TEST(components_are_single) {
        static const char *const bad[] = { "", ".", "..", "a/b", "/a", "a/" };
        Fixture f = fixture_new();
        _cleanup_close_ int a = path_make_dir(f.fd, "a", 0700);

        g_assert_cmpint(path_replace_file(a, "b", "k", 1, 0600), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_assert_cmpint(path_make_dir(f.fd, bad[i], 0700), ==, -EINVAL);
                g_assert_cmpint(path_replace_file(f.fd, bad[i], "k", 1, 0600), ==, -EINVAL);
                g_assert_cmpint(path_remove_file(f.fd, bad[i]), ==, -EINVAL);
                g_assert_cmpint(path_remove_tree(f.fd, bad[i]), ==, -EINVAL);
        }
        g_assert_cmpint(faccessat(a, "b", F_OK, 0), ==, 0);
        fixture_done(&f);
}

TEST(a_mount_in_a_tree_is_not_emptied) {
        Fixture f = fixture_new(), other = fixture_new();
        _cleanup_close_ int a = path_make_dir(f.fd, "a", 0700);
        _cleanup_close_ int b G_GNUC_UNUSED = path_make_dir(a, "b", 0700);
        g_autofree char *place = g_build_filename(f.path, "a/b", NULL);

        if (geteuid() != 0)
                test_skip("needs root to mount");
        else {
                g_assert_cmpint(path_replace_file(other.fd, "keep", "k", 1, 0600), ==, 0);
                g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
                g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
                g_assert_cmpint(mount(other.path, place, NULL, MS_BIND, NULL), ==, 0);
                g_assert_cmpint(path_remove_tree(f.fd, "a"), ==, -EBUSY);
                g_assert_cmpint(faccessat(other.fd, "keep", F_OK, 0), ==, 0);
                g_assert_cmpint(umount2(place, MNT_DETACH), ==, 0);
        }
        fixture_done(&f);
        fixture_done(&other);
}

TEST(all_names_of_a_directory_are_listed) {
        Fixture f = fixture_new();

        /* From its beginning, however often. */
        g_assert_cmpint(path_replace_file(f.fd, "a", "k", 1, 0600), ==, 0);
        g_assert_cmpint(symlinkat("a", f.fd, ".b"), ==, 0);
        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(GPtrArray) names = NULL;

                g_assert_cmpint(path_list_names(f.fd, &names), ==, 0);
                g_assert_cmpuint(names->len, ==, 2);
        }
        fixture_done(&f);
}

TEST(a_tree_of_any_depth_is_removed) {
        const struct rlimit few = { .rlim_cur = 512, .rlim_max = 512 };
        Fixture f = fixture_new();
        _cleanup_close_ int fd = dup(f.fd);

        for (int i = 0; i < 3000; i++) {
                int child = path_make_dir(fd, "d", 0700);

                g_assert_cmpint(child, >=, 0);
                g_assert_cmpint(path_replace_file(child, ".deep.0", "x", 1, 0600), ==, 0);
                (void) close(fd);
                fd = child;
        }
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);
        g_assert_cmpint(path_remove_tree(f.fd, "d"), ==, 0);
        g_assert_cmpint(faccessat(f.fd, "d", F_OK, 0), ==, -1);
        fixture_done(&f);
}

TEST_MAIN()
