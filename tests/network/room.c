/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/network/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/unit/test.h"

#define OUTPUT_MAX (1U << 20)

/* Ends with the exit status of `pid`, having waited for whatever else ends before it. */
static void G_GNUC_NORETURN reap_until(pid_t pid) {
        for (;;) {
                int status;
                pid_t ended = wait(&status);

                if (ended < 0 && errno != EINTR)
                        _exit(EXIT_FAILURE);
                if (ended == pid)
                        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
}

static void fork_and_reap(void) {
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid > 0)
                reap_until(pid);
        g_assert_cmpint(prctl(PR_SET_PDEATHSIG, SIGKILL), ==, 0);
}

static bool has_programs(void) {
        return room_try("command -v ip nft busybox dnsmasq >/dev/null") == 0;
}

bool room_enter(void) {
        if (geteuid() != 0 || !has_programs()) {
                test_skip("needs root, ip, nft, busybox and dnsmasq");
                return false;
        }
        if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) < 0) {
                test_skip("cannot make namespaces here");
                return false;
        }
        fflush(stdout);
        fork_and_reap(); /* the child is process 1 of the namespace, */
        fork_and_reap(); /* its child does the test */

        g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
        g_assert_cmpint(mount("proc", "/proc", "proc", 0, NULL), ==, 0);
        g_assert_cmpint(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), ==, 0);
        room_run("ip link set lo up");
        return true;
}

/* Starts a shell with the command; its standard output goes to `output` unless that is negative. */
static pid_t start_shell(const char *command, int output) {
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid > 0)
                return pid;
        if (output >= 0 && dup2(output, STDOUT_FILENO) < 0)
                _exit(127);
        (void) execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
}

static int run_shell(const char *command, int output) {
        pid_t pid = start_shell(command, output);
        int status;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

int room_try(const char *format, ...) {
        g_autofree char *command = NULL;
        va_list ap;

        va_start(ap, format);
        command = g_strdup_vprintf(format, ap);
        va_end(ap);
        return run_shell(command, -EBADF);
}

void room_run(const char *format, ...) {
        g_autofree char *command = NULL;
        va_list ap;
        int status;

        va_start(ap, format);
        command = g_strdup_vprintf(format, ap);
        va_end(ap);
        status = run_shell(command, -EBADF);
        if (status != 0)
                g_error("Command failed with status %d: %s", status, command);
}

char *room_read(const char *format, ...) {
        _cleanup_close_ int output = memfd_create("output", MFD_CLOEXEC);
        g_autofree char *command = NULL, *text = NULL;
        g_autoptr(GBytes) bytes = NULL;
        va_list ap;

        va_start(ap, format);
        command = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_assert_cmpint(output, >=, 0);
        (void) run_shell(command, output);

        g_assert_cmpint(lseek(output, 0, SEEK_SET), ==, 0);
        g_assert_cmpint(fd_read_all(output, OUTPUT_MAX, &bytes), ==, 0);
        if (g_bytes_get_size(bytes) == 0)
                return g_strdup("");
        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        if (g_str_has_suffix(text, "\n"))
                text[strlen(text) - 1] = 0;
        return g_steal_pointer(&text);
}

guint64 room_read_number(const char *format, ...) {
        g_autofree char *command = NULL, *text = NULL;
        guint64 number;
        va_list ap;

        va_start(ap, format);
        command = g_strdup_vprintf(format, ap);
        va_end(ap);
        text = room_read("%s", command);
        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL))
                g_error("\"%s\" is what this wrote: %s", text, command);
        return number;
}

void room_add_client(const char *name, const char *bridge) {
        room_run("ip netns add %s && ip link add v%s type veth peer name eth0 netns %s && "
                 "ip link set v%s master %s up && ip -n %s link set lo up && "
                 "ip -n %s link set eth0 up",
                 name, name, name, name, bridge, name, name);
}

void room_remove_client(const char *name) {
        room_run("ip link del v%s && ip netns del %s", name, name);
}

/* A socket belongs to the namespace that it was made in, for good. */
static int socket_in(const char *name) {
        _cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other = -EBADF;
        g_autofree char *path = name ? g_strdup_printf("/run/netns/%s", name) : NULL;
        int fd;

        g_assert_cmpint(own, >=, 0);
        if (path) {
                other = open(path, O_RDONLY | O_CLOEXEC);
                g_assert_cmpint(other, >=, 0);
                g_assert_cmpint(setns(other, CLONE_NEWNET), ==, 0);
        }
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(setns(own, CLONE_NEWNET), ==, 0);
        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static struct sockaddr_in socket_address(const char *address, unsigned port) {
        struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };

        g_assert_cmpint(inet_pton(AF_INET, address, &sin.sin_addr), ==, 1);
        return sin;
}

int room_listen(const char *name, const char *address, unsigned port) {
        struct sockaddr_in sin = socket_address(address, port);
        int fd = socket_in(name);

        g_assert_cmpint(bind(fd, (struct sockaddr *) &sin, sizeof(sin)), ==, 0);
        g_assert_cmpint(listen(fd, SOMAXCONN), ==, 0);
        return fd;
}

bool room_can_connect(const char *name, const char *address, unsigned port) {
        struct sockaddr_in sin = socket_address(address, port);
        _cleanup_close_ int fd = socket_in(name);
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        socklen_t size = sizeof(int);
        int error = 0;

        if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) >= 0)
                return true;
        g_assert_cmpint(errno, ==, EINPROGRESS);
        if (poll(&p, 1, 1000) != 1)
                return false;
        g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), ==, 0);
        return error == 0;
}
