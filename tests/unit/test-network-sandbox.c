/* SPDX-License-Identifier: Apache-2.0 */

/* What dnsmasq is left with: the files that are named, and few capabilities. */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/network/sandbox.h"
#include "tests/unit/test.h"

/* Directories "read", "write" and "create" with a file "x" each, all of them allowed as their names
 * say, and "other", which nobody mentions. */
typedef struct Room {
        char *path;
        int fd;
} Room;

static const char *const directories[] = { "read", "write", "create", "other" };

static Room room_new(void) {
        Room room = { .path = g_strdup("/tmp/berth-test-sandbox.XXXXXX") };

        g_assert_nonnull(mkdtemp(room.path));
        room.fd = path_open_dir(room.path);
        g_assert_cmpint(room.fd, >=, 0);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                _cleanup_close_ int fd = path_make_dir(room.fd, directories[i], 0700);

                g_assert_cmpint(path_replace_file(fd, "x", "text", 4, 0700), ==, 0);
        }
        return room;
}

static void room_done(Room *room) {
        g_autofree char *name = g_path_get_basename(room->path);
        _cleanup_close_ int parent = path_open_dir("/tmp");

        (void) close(room->fd);
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_free(room->path);
}

/* Runs in the sandbox; what it returns is the exit status. */
static int in_sandbox(const Room *room, int (*attempt)(int fd)) {
        g_autofree char *read = g_build_filename(room->path, "read", NULL);
        g_autofree char *write = g_build_filename(room->path, "write", NULL);
        g_autofree char *create = g_build_filename(room->path, "create", NULL);
        const SandboxPath paths[] = {
                { read, SANDBOX_READ },
                { write, SANDBOX_WRITE },
                { create, SANDBOX_CREATE },
                { "/no/such/file", SANDBOX_READ },
                { NULL },
        };
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                _exit(sandbox_enter(UINT64_C(1) << CAP_NET_RAW, paths) < 0 ? 99 :
                                                                             attempt(room->fd));
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* 0, or the number of the first line that is otherwise. */
static int open_files(int fd) {
        static const struct {
                const char *name;
                int flags, error;
        } cases[] = {
                { "read/x", O_RDONLY, 0 },
                { "read", O_RDONLY | O_DIRECTORY, 0 },
                { "read/x", O_WRONLY, EACCES },
                { "read/new", O_WRONLY | O_CREAT, EACCES },
                { "write/x", O_RDWR, 0 },
                { "write/new", O_WRONLY | O_CREAT, EACCES },
                { "create/x", O_RDWR, 0 },
                { "create/new", O_WRONLY | O_CREAT | O_EXCL, 0 },
                { "other/x", O_RDONLY, EACCES },
                { "other", O_RDONLY | O_DIRECTORY, EACCES },
                { "other/new", O_WRONLY | O_CREAT, EACCES },
                { "/etc/passwd", O_RDONLY, EACCES },
                { "/", O_RDONLY | O_DIRECTORY, EACCES },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int file = openat(fd, cases[i].name, cases[i].flags | O_CLOEXEC, 0600);

                if ((file < 0 ? errno : 0) != cases[i].error)
                        return 1 + (int) i;
                if (file >= 0)
                        (void) close(file);
        }
        return 0;
}

static int change_names(int fd) {
        if (unlinkat(fd, "create/x", 0) < 0)
                return 1;
        if (unlinkat(fd, "write/x", 0) >= 0 || errno != EACCES)
                return 2;
        if (mkdirat(fd, "create/directory", 0700) >= 0 || errno != EACCES)
                return 3;
        if (symlinkat("/etc", fd, "create/link") >= 0 || errno != EACCES)
                return 4;
        return 0;
}

static int execute(int fd) {
        static const char *const argv[] = { "/bin/true", NULL };

        (void) execve(argv[0], (char **) argv, environ);
        return errno == EACCES ? 0 : 1;
}

/* The number of the first that root may still do, whatever rights he has left. */
static int change_the_host(int fd) {
        static const char none[] = "";

        if (unshare(CLONE_NEWUTS) >= 0 || errno != EPERM)
                return 1;
        if (mount("none", "/no/such/directory", "tmpfs", 0, NULL) >= 0 || errno != EPERM)
                return 2;
        if (syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, getppid(), NULL, NULL) >= 0 ||
            errno != EPERM)
                return 3;
        if (syscall(SYS_bpf, -1, NULL, 0) >= 0 || errno != EPERM)
                return 4;
        if (syscall(SYS_keyctl, 0, -3, 0) >= 0 || errno != EPERM)
                return 5;
        if (syscall(SYS_setns, fd, 0) >= 0 || errno != EPERM)
                return 6;
        if (syscall(SYS_open_tree, fd, none, 0) >= 0 || errno != EPERM)
                return 7;
        if (syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0) >= 0 || errno != EPERM)
                return 8;
        return 0;
}

/* What it does itself. */
static int serve(int fd) {
        pid_t pid = fork();
        int status;

        if (pid == 0)
                _exit(0);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                return 1;
        if (socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ||
            socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) < 0)
                return 2;
        return 0;
}

static int look_at_rights(int fd) {
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return 100;
        for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != (cap == CAP_NET_RAW))
                        return 1 + cap;
        return 0;
}

static bool has_landlock(void) {
        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0)
                return true;
        test_skip("this kernel has no Landlock");
        return false;
}

TEST(rights) {
        Room room = room_new();

        g_assert_cmpint(in_sandbox(&room, look_at_rights), ==, 0);
        g_assert_cmpint(in_sandbox(&room, change_the_host), ==, 0);
        g_assert_cmpint(in_sandbox(&room, serve), ==, 0);
        room_done(&room);
}

TEST(files) {
        Room room = room_new();

        if (has_landlock()) {
                g_assert_cmpint(in_sandbox(&room, open_files), ==, 0);
                g_assert_cmpint(in_sandbox(&room, change_names), ==, 0);
                g_assert_cmpint(in_sandbox(&room, execute), ==, 0);
        }
        room_done(&room);
}

int main(void) {
        if (geteuid() != 0) {
                test_skip("needs root");
                return 77;
        }
        return test_run();
}
