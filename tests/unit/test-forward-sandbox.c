/* SPDX-License-Identifier: Apache-2.0 */

/* What is left to the process behind a proxy device, which reads what anybody sends it. */

#include "service/worker/forward/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/unit/test.h"

/* Who is nobody's, and has no file. */
#define ID 0x7FFD0001U

/* Runs in the sandbox; what it returns is the exit status. */
static int in_sandbox(int (*attempt)(void)) {
        const ForwardSpec spec = { .uid = ID, .gid = ID };
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                const char *what;

                /* Not _exit(), before which the address sanitizer asks for what is not allowed. */
                (void) syscall(SYS_exit_group,
                               sandbox_enter(&spec, &what) < 0 ? 99 : attempt());
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* The first family of which there is a socket where there should be none, or the other way. */
static int open_sockets(void) {
        for (int family = 0; family < AF_MAX; family++) {
                bool fine = family == AF_UNIX || family == AF_INET || family == AF_INET6;
                int fd = socket(family, SOCK_STREAM, 0);

                if (fine ? fd < 0 : fd >= 0 || errno != EPERM)
                        return 100 + family;
        }
        return 0;
}

static int do_what_it_does(void) {
        int pair[2];
        char byte = 0;

        if (pipe2(pair, O_CLOEXEC) < 0 || write(pair[1], &byte, 1) != 1)
                return 1;
        return read(pair[0], &byte, 1) == 1 ? 0 : 2;
}

static bool is_denied(long r) {
        return r < 0 && errno == EPERM;
}

/* The number of the first that is not denied, 0 for none. */
static int call_the_rest(void) {
        static const char *const none[] = { NULL };

        if (!is_denied(open("/etc/passwd", O_RDONLY | O_CLOEXEC)))
                return 1;
        if (!is_denied(syscall(SYS_execve, "/bin/true", none, none)))
                return 2;
        if (!is_denied(syscall(SYS_clone, 0, NULL, NULL, NULL, NULL)))
                return 3;
        if (!is_denied(syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL)))
                return 4;
        if (!is_denied(syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */)))
                return 5;
        if (!is_denied(syscall(SYS_kill, getppid(), 0)))
                return 6;
        if (!is_denied(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL)))
                return 7;
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                    MAP_FAILED || errno != EPERM)
                return 8;
        if (!is_denied(syscall(SYS_setns, 0, 0)))
                return 9;
        if (!is_denied(syscall(SYS_setresuid, 0, 0, 0)))
                return 10;
        return 0;
}

TEST(sockets_are_of_three_families) {
        g_assert_cmpint(in_sandbox(open_sockets), ==, 0);
}

TEST(it_can_do_its_work) {
        g_assert_cmpint(in_sandbox(do_what_it_does), ==, 0);
}

TEST(all_else_is_denied) {
        g_assert_cmpint(in_sandbox(call_the_rest), ==, 0);
}

int main(void) {
        if (geteuid() != 0) {
                test_skip("needs root");
                return 77;
        }
        return test_run();
}
