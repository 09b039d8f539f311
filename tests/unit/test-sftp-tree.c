/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sftp/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "tests/unit/test.h"

/* "root" is what is served; beside it lies what is not. */
typedef struct Fixture {
        char *path;
        int outside, root;
} Fixture;

static void make_file(int at, const char *name) {
        _cleanup_close_ int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        g_assert_cmpint(fd_write_all(fd, name, strlen(name)), ==, 0);
}

static Fixture fixture_new(void) {
        Fixture f = { .path = g_strdup("/tmp/berth-test-sftp.XXXXXX") };

        g_assert_nonnull(mkdtemp(f.path));
        f.outside = path_open_dir(f.path);
        g_assert_cmpint(mkdirat(f.outside, "root", 0755), ==, 0);
        f.root = openat(f.outside, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(mkdirat(f.root, "a", 0755), ==, 0);
        g_assert_cmpint(mkdirat(f.root, "a/b", 0755), ==, 0);
        make_file(f.outside, "secret");
        make_file(f.root, "a/b/file");
        return f;
}

static void fixture_done(Fixture *f) {
        g_autofree char *name = g_path_get_basename(f->path);
        _cleanup_close_ int parent = path_open_dir("/tmp");

        (void) close(f->root);
        (void) close(f->outside);
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_free(f->path);
}

/* What is in the file that the path leads to, or the error as its text. */
static char *read_path(const Fixture *f, const char *path) {
        _cleanup_close_ int fd = tree_open_file(f->root, path, O_RDONLY, 0);
        char *text;

        if (fd < 0)
                return g_strdup(g_strerror(-fd));
        g_assert_cmpint(fd_read_text(fd, 100, &text), ==, 0);
        return text;
}

static void check(const Fixture *f, const char *path, const char *expected) {
        g_autofree char *text = read_path(f, path);

        g_assert_cmpstr(text, ==, expected);
}

TEST(names_lead_where_they_lead_below_the_root) {
        Fixture f = fixture_new();

        g_assert_cmpint(symlinkat("/a/b", f.root, "absolute"), ==, 0);
        g_assert_cmpint(symlinkat("../../../../a", f.root, "a/b/above"), ==, 0);
        g_assert_cmpint(symlinkat("absolute/file", f.root, "chain"), ==, 0);
        g_assert_cmpint(symlinkat("/", f.root, "a/root"), ==, 0);
        check(&f, "/a/b/file", "a/b/file");
        check(&f, "a//b/./file", "a/b/file");
        check(&f, "/../../a/b/../b/file", "a/b/file");
        check(&f, "/absolute/file", "a/b/file");
        check(&f, "/a/b/above/b/file", "a/b/file");
        /* From where the link leads, not from where it is. */
        check(&f, "/absolute/../b/file", "a/b/file");
        check(&f, "/chain", "a/b/file");
        check(&f, "/a/root/a/root/chain", "a/b/file");
        fixture_done(&f);
}

TEST(no_name_leads_out) {
        static const char *const names[] = {
                "/secret", "../secret", "/../secret", "a/../../secret", "a/b/../../../secret",
                "up/secret", "a/up/secret", "link", "absolute", "magic/secret", "kernel/etc/passwd",
        };
        Fixture f = fixture_new();
        g_autofree char *absolute = g_strconcat(f.path, "/secret", NULL);
        g_autofree char *magic = g_strdup_printf("/proc/%d/fd/%d", getpid(), f.outside);

        g_assert_cmpint(symlinkat("..", f.root, "up"), ==, 0);
        g_assert_cmpint(symlinkat("../../..", f.root, "a/up"), ==, 0);
        g_assert_cmpint(symlinkat("../secret", f.root, "link"), ==, 0);
        g_assert_cmpint(symlinkat(absolute, f.root, "absolute"), ==, 0);
        g_assert_cmpint(symlinkat(magic, f.root, "magic"), ==, 0);
        g_assert_cmpint(symlinkat("/proc/self/root", f.root, "kernel"), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                check(&f, names[i], "No such file or directory");
        check(&f, absolute, "No such file or directory");
        fixture_done(&f);
}

TEST(links_that_lead_nowhere_end) {
        Fixture f = fixture_new();

        g_assert_cmpint(symlinkat("loop", f.root, "loop"), ==, 0);
        g_assert_cmpint(symlinkat("more/more/more/more", f.root, "more"), ==, 0);
        check(&f, "/loop", "Too many levels of symbolic links");
        check(&f, "/more", "Too many levels of symbolic links");
        check(&f, "/a/b/file/x", "Not a directory");
        check(&f, "/a/b/file/../file", "Not a directory");
        check(&f, "/a/b", "Is a directory");
        fixture_done(&f);
}

TEST(entries_themselves_are_not_followed) {
        Fixture f = fixture_new();
        g_autofree char *name = NULL, *none = NULL;
        _cleanup_close_ int parent = -EBADF, made = -EBADF;
        struct stat st;

        g_assert_cmpint(symlinkat("../secret", f.root, "a/link"), ==, 0);
        g_assert_cmpint(tree_stat(f.root, "/a/link", true, &st), ==, 0);
        g_assert_true(S_ISLNK(st.st_mode));
        g_assert_cmpint(tree_stat(f.root, "/a/link", false, &st), ==, -ENOENT);
        g_assert_cmpint(tree_stat(f.root, "/", true, &st), ==, 0);
        g_assert_true(S_ISDIR(st.st_mode));
        parent = tree_open_parent(f.root, "/a/link", &name);
        g_assert_cmpint(parent, >=, 0);
        g_assert_cmpstr(name, ==, "link");
        g_assert_cmpint(unlinkat(parent, name, 0), ==, 0);
        g_assert_cmpint(tree_open_parent(f.root, "/", &none), ==, -EINVAL);
        g_assert_cmpint(tree_open_parent(f.root, "a/..", &none), ==, -EINVAL);
        g_assert_cmpint(tree_open_parent(f.root, "/none/x", &none), ==, -ENOENT);
        g_assert_null(none);
        /* What is made through a link is made below the root. */
        g_assert_cmpint(symlinkat("../../new", f.root, "a/dangling"), ==, 0);
        made = tree_open_file(f.root, "a/dangling", O_WRONLY | O_CREAT, 0600);
        g_assert_cmpint(made, >=, 0);
        g_assert_cmpint(faccessat(f.root, "new", F_OK, 0), ==, 0);
        g_assert_cmpint(faccessat(f.outside, "new", F_OK, 0), ==, -1);
        fixture_done(&f);
}

TEST(what_is_no_file_is_not_waited_for) {
        Fixture f = fixture_new();

        g_assert_cmpint(mkfifoat(f.root, "fifo", 0644), ==, 0);
        g_assert_cmpint(tree_open_file(f.root, "fifo", O_RDONLY, 0), ==, -EINVAL);
        g_assert_cmpint(tree_open_file(f.root, "fifo", O_WRONLY, 0), ==, -ENXIO);
        fixture_done(&f);
}

TEST(names_are_made_absolute) {
        static const char *const names[][2] = {
                { ".", "/" }, { "", "/" }, { "/", "/" }, { "a/b", "/a/b" }, { "/a/../..", "/" },
                { "/a//b/./../c/", "/a/c" }, { "../../x", "/x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *path = tree_normalize(names[i][0]);

                g_assert_cmpstr(path, ==, names[i][1]);
        }
}

/* In a process of its own, which is confined for good. Returns what went wrong first. */
static int try_confined(const Fixture *f) {
        _cleanup_close_ int fd = -EBADF;

        if (tree_confine(f->root) < 0)
                return 1;
        if (openat(f->outside, "secret", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
                return 2;
        if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
                return 3;
        if (execl("/bin/true", "true", NULL) == 0 || errno != EACCES)
                return 4;
        fd = tree_open_file(f->root, "a/b/file", O_RDWR, 0);
        if (fd < 0 || ftruncate(fd, 1) < 0)
                return 5;
        if (renameat(f->root, "a/b/file", f->root, "a/file") < 0 ||
            linkat(f->root, "a/file", f->root, "hard", 0) < 0 ||
            symlinkat("x", f->root, "a/soft") < 0 || mkdirat(f->root, "d", 0755) < 0 ||
            unlinkat(f->root, "d", AT_REMOVEDIR) < 0 || unlinkat(f->root, "a/soft", 0) < 0)
                return 6;
        return 0;
}

TEST(what_is_not_below_the_root_is_taken_away) {
        Fixture f = fixture_new();
        int status;
        pid_t pid;

        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
                test_skip("the kernel has no Landlock that could do it");
        else {
                pid = fork();
                if (pid == 0)
                        _exit(try_confined(&f));
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_true(WIFEXITED(status));
                g_assert_cmpint(WEXITSTATUS(status), ==, 0);
        }
        fixture_done(&f);
}

TEST_MAIN()
