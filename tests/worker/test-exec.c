/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "tests/unit/test.h"
#include "tests/worker/container.h"

#define TERMINAL_MSEC 10000

static void assert_shell(Container *c, const char *command, int status, const char *out) {
        g_auto(ExecResult) r = container_shell(c, command);

        if (r.status != status || !g_str_equal(r.out, out))
                g_error("%s: status %d, \"%s\", \"%s\", error %s", command, r.status, r.out, r.err,
                        r.error);
}

static ExecResult run(Container *c, Exec exec, const char *command) {
        const char *const argv[] = { "sh", "-c", command, NULL };

        return container_exec_with(c, &exec, argv);
}

static void assert_run(Container *c, Exec exec, const char *command, const char *out) {
        g_auto(ExecResult) r = run(c, exec, command);

        if (r.status != 0 || !g_str_equal(r.out, out))
                g_error("%s: status %d, \"%s\", \"%s\", error %s", command, r.status, r.out, r.err,
                        r.error);
}

static void assert_refused(Container *c, Exec exec, const char *name, const char *words) {
        g_auto(ExecResult) r = run(c, exec, "true");

        g_assert_cmpint(r.status, ==, -1);
        g_assert_cmpstr(strrchr(r.error_name, '.') + 1, ==, name);
        if (!strstr(r.error, words))
                g_error("\"%s\" is not in \"%s\"", words, r.error);
}

TEST(exit_statuses) {
        g_autoptr(Container) c = container_new();
        static const char *const missing[] = { "no-such-program", NULL };
        static const char *const missing_path[] = { "/bin/none", NULL };
        static const char *const plain[] = { "/bin/not-executable", NULL };
        static const char *const directory[] = { "/etc", NULL };

        if (!c)
                return;
        container_start(c);
        assert_shell(c, "exit 0", 0, "");
        assert_shell(c, "exit 1", 1, "");
        assert_shell(c, "exit 127", 127, "");
        assert_shell(c, "exit 255", 255, "");
        assert_shell(c, "kill -9 $$", 137, "");
        assert_shell(c, "kill -TERM $$", 143, "");
        {
                g_auto(ExecResult) a = container_exec_with(c, &(Exec) {}, missing);
                g_auto(ExecResult) b = container_exec_with(c, &(Exec) {}, missing_path);
                g_auto(ExecResult) d = container_exec_with(c, &(Exec) {}, plain);
                g_auto(ExecResult) e = container_exec_with(c, &(Exec) {}, directory);
                g_auto(ExecResult) own = container_shell(c, "exit 127");

                g_assert_cmpint(a.status, ==, 127);
                g_assert_nonnull(strstr(a.error, "no-such-program"));
                g_assert_cmpint(b.status, ==, 127);
                g_assert_cmpint(d.status, ==, 126);
                g_assert_nonnull(d.error);
                g_assert_cmpint(e.status, ==, 126);
                g_assert_cmpint(own.status, ==, 127);
                g_assert_null(own.error);
        }
}

TEST(standard_fds_are_apart) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        {
                g_auto(ExecResult) r = run(c, (Exec) { .input = "in\n" }, "cat; echo err >&2");

                g_assert_cmpint(r.status, ==, 0);
                g_assert_cmpstr(r.out, ==, "in\n");
                g_assert_cmpstr(r.err, ==, "err\n");
        }
        {
                g_auto(ExecResult) r = container_shell(c, "yes 0123456789abcde | head -c 8388608");

                g_assert_cmpint(r.status, ==, 0);
                g_assert_cmpuint(strlen(r.out), ==, 8388608);
        }
}

TEST(environment) {
        static const char *const given[] = { "FOO=a b\nc", "EMPTY=", "PATH=/bin", "LANG=x", NULL };
        static const char *const malformed[] = { "FOO", NULL };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        assert_shell(
                c, "env | sort | grep -v -e SHLVL -e PWD", 0,
                "HOME=/root\nLANG=C.UTF-8\n"
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nUSER=root\n");
        assert_run(c, (Exec) { .environment = given },
                   "echo \"$FOO|$EMPTY|$PATH|$LANG\"; env | grep -c EMPTY=", "a b\nc||/bin|x\n1\n");
        assert_refused(c, (Exec) { .environment = malformed }, "InvalidArgs", "FOO");
}

TEST(directory) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        assert_run(c, (Exec) {}, "pwd", "/root\n");
        assert_run(c, (Exec) { .cwd = "/etc" }, "pwd", "/etc\n");
        assert_run(c, (Exec) { .user = "nohome" }, "pwd", "/\n");
        assert_refused(c, (Exec) { .cwd = "/missing" }, "NoSuchFile", "/missing");
        assert_refused(c, (Exec) { .cwd = "etc" }, "InvalidArgs", "etc");
        assert_refused(c, (Exec) { .cwd = "/etc/passwd" }, "NoSuchFile", "/etc/passwd");
        assert_refused(c, (Exec) { .cwd = "/proc/1/root" }, "InvalidArgs", "/proc/1/root");
        for (int fd = 0; fd < 32; fd++) {
                g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
                g_auto(ExecResult) r = run(c, (Exec) { .cwd = path }, "pwd");

                g_assert_cmpint(r.status, ==, -1);
        }
}

TEST(users_and_groups) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        assert_run(c, (Exec) {}, "id -u; id -g; id -G", "0\n0\n0\n");
        assert_run(c, (Exec) { .user = "alice" }, "id -u; id -g; id -G; pwd; echo $HOME $USER",
                   "1000\n1000\n1000 10 44\n/home/alice\n/home/alice alice\n");
        assert_run(c, (Exec) { .user = "1000" }, "id -u; id -G; echo $USER",
                   "1000\n1000 10 44\nalice\n");
        assert_run(c, (Exec) { .user = "alice", .group = "video" }, "id -g; id -G", "44\n44\n");
        assert_run(c, (Exec) { .user = "4242", .group = "4343" }, "id -u; id -g; id -G; pwd",
                   "4242\n4343\n4343\n/\n");
        assert_run(c, (Exec) { .user = "alice" },
                   "grep -c -e CapEff:.0000000000000000 -e NoNewPrivs:.0 /proc/self/status", "2\n");
        assert_refused(c, (Exec) { .user = "bob" }, "InvalidArgs", "bob");
        assert_refused(c, (Exec) { .group = "none" }, "InvalidArgs", "none");
        assert_refused(c, (Exec) { .user = "4294967295" }, "InvalidArgs", "4294967295");
        assert_refused(c, (Exec) { .user = "-1" }, "InvalidArgs", "-1");
        /* Not in the map */
        assert_refused(c, (Exec) { .user = "70000" }, "Failed", "70000");
}

TEST(confined_like_init) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        /* Fields that must not differ from init's. The shell of init's inittab is no help: it is
         * init itself that is compared. */
        assert_shell(
                c,
                "for f in CapBnd CapEff CapPrm CapInh CapAmb Seccomp NoNewPrivs SigBlk SigIgn; do"
                " a=$(grep ^$f: /proc/1/status); b=$(cat /proc/self/status | grep ^$f:);"
                " [ \"$a\" = \"$b\" ] || echo \"$a, $b\"; done",
                0, "");
        assert_shell(
                c,
                "for n in user mnt pid net ipc uts cgroup; do"
                " [ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] || echo $n; done",
                0, "");
        assert_shell(c, "[ \"$(cat /proc/1/cgroup)\" = \"$(cat /proc/self/cgroup)\" ] && echo same",
                     0, "same\n");
        assert_shell(c, "[ \"$(cat /proc/1/limits)\" = \"$(cat /proc/self/limits)\" ] && echo same",
                     0, "same\n");
        assert_shell(c, "umask; cat /proc/self/oom_score_adj", 0, "0022\n0\n");
}

TEST(limits_are_those_of_init) {
        const struct rlimit few = { .rlim_cur = 333, .rlim_max = 444 };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(prlimit(c->init, RLIMIT_NOFILE, &few, NULL), ==, 0);
        assert_shell(c, "ulimit -n; ulimit -Hn", 0, "333\n444\n");
}

TEST(nothing_of_the_host_is_open) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        /* 3 is the directory that ls reads */
        assert_shell(c, "ls /proc/self/fd", 0, "0\n1\n2\n3\n");
        assert_shell(c, "ps -o pid= | wc -l | { read n; [ $n -lt 12 ] && echo few; }", 0, "few\n");
}

/* Starts a program on a terminal; fills `ret_master` once it runs. */
static WorkerClient *open_terminal(Container *c, const char *const *argv, int *ret_master) {
        WorkerClient *client =
                worker_client_new(container_worker(), OPERATION_EXEC,
                                  container_exec_args(c, &(Exec) {}, argv, true), &c->init_pidfd,
                                  1);
        WorkerMessage m = worker_client_receive(client);

        if (!m.kind || !g_str_equal(m.kind, "event"))
                g_error("%s", m.kind ? g_variant_print(m.content, FALSE) : "end");
        g_assert_cmpuint(m.n_fds, ==, 1);
        *ret_master = m.fds[0];
        m.n_fds = 0;
        worker_message_clear(&m);
        return client;
}

/* Reads until the text has come, or (NULL) until the other side hangs up. */
static char *read_terminal(int master, const char *until) {
        GString *text = g_string_new(NULL);

        for (;;) {
                struct pollfd p = { .fd = master, .events = POLLIN };
                char buffer[4096];
                ssize_t n;

                if (poll(&p, 1, TERMINAL_MSEC) != 1)
                        g_error("only \"%s\" has come, not \"%s\"", text->str, until);
                n = read(master, buffer, sizeof(buffer));
                if (n <= 0) {
                        g_assert_null(until);
                        return g_string_free(text, FALSE);
                }
                g_string_append_len(text, buffer, n);
                if (until && strstr(text->str, until))
                        return g_string_free(text, FALSE);
        }
}

static void type(int master, const char *text) {
        g_assert_cmpint(fd_write_all(master, text, strlen(text)), ==, 0);
}

static int finish(WorkerClient *client) {
        g_auto(WorkerMessage) m = worker_client_finish(client);
        int status;

        g_assert_cmpstr(m.kind, ==, "result");
        g_assert_true(g_variant_lookup(m.content, "exit-status", "i", &status));
        return status;
}

static void resize(WorkerClient *client, unsigned width, unsigned height) {
        GVariantDict d;

        g_variant_dict_init(&d, NULL);
        g_variant_dict_insert(&d, "width", "u", width);
        g_variant_dict_insert(&d, "height", "u", height);
        worker_client_send(client, "resize", g_variant_dict_end(&d));
}

static void send_signal(WorkerClient *client, int signal) {
        GVariantDict d;

        g_variant_dict_init(&d, NULL);
        g_variant_dict_insert(&d, "signal", "i", signal);
        worker_client_send(client, "signal", g_variant_dict_end(&d));
}

/* A trap ends the shell's own read as if the input had ended, and may come just too late to do so;
 * only wait is made to be interrupted. */
TEST(terminal) {
        static const char *const argv[] = {
                "sh", "-c",
                "tty; stty size; stat -c %u:%g $(tty); trap 'stty size' WINCH;"
                " exec 3<&0; (read line <&3 && [ $line = end ] && exit 7) & echo ready;"
                " while wait $!; s=$?; [ $s -gt 128 ]; do :; done; exit $s",
                NULL
        };
        g_autoptr(Container) c = container_new();
        g_autofree char *first = NULL, *second = NULL, *third = NULL, *rest = NULL;
        _cleanup_close_ int master = -EBADF;
        struct winsize size = { .ws_col = 70, .ws_row = 20 };
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        first = read_terminal(master, "ready\r\n");
        if (!g_str_has_prefix(first, "/dev/pts/") || !strstr(first, "40 100\r\n0:5\r\n"))
                g_error("\"%s\"", first);
        resize(client, 120, 50);
        second = read_terminal(master, "50 120");
        g_assert_cmpint(ioctl(master, TIOCSWINSZ, &size), ==, 0);
        third = read_terminal(master, "20 70");
        type(master, "end\n");
        rest = read_terminal(master, NULL); /* its end is the end of file */
        g_assert_cmpint(finish(client), ==, 7);
}

/* The program has to wait for its reader; nothing is lost, the exit status neither. */
TEST(terminal_is_drained_slowly) {
        static const char *const argv[] = {
                "sh", "-c", "yes 0123456789abcde | head -n 4096; echo last; exit 9", NULL
        };
        g_autoptr(Container) c = container_new();
        g_autoptr(GString) text = g_string_new(NULL);
        _cleanup_close_ int master = -EBADF;
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        for (;;) {
                struct pollfd p = { .fd = master, .events = POLLIN };
                char buffer[100];
                ssize_t n;

                g_assert_cmpint(poll(&p, 1, TERMINAL_MSEC), ==, 1);
                n = read(master, buffer, sizeof(buffer));
                if (n <= 0)
                        break;
                g_string_append_len(text, buffer, n);
                g_usleep(200);
        }
        g_assert_cmpuint(text->len, ==, 4096 * strlen("0123456789abcde\r\n") + strlen("last\r\n"));
        g_assert_true(g_str_has_suffix(text->str, "\r\nlast\r\n"));
        g_assert_cmpint(finish(client), ==, 9);
}

/* Whoever reads only after the end still finds what the program wrote. */
TEST(terminal_outlives_its_program) {
        static const char *const argv[] = { "sh", "-c", "echo last words; exit 8", NULL };
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int master = -EBADF;
        g_autofree char *text = NULL;
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        g_assert_cmpint(finish(client), ==, 8);
        text = read_terminal(master, NULL);
        g_assert_cmpstr(text, ==, "last words\r\n");
}

TEST(terminal_job_control) {
        static const char *const argv[] = { "sh", "-c", "echo ready; sleep 1000; echo on", NULL };
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int master = -EBADF;
        g_autofree char *text = NULL;
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        text = read_terminal(master, "ready");
        type(master, "\x03");
        g_assert_cmpint(finish(client), ==, 130);
}

TEST(closed_terminal_hangs_up) {
        static const char *const argv[] = {
                "sh", "-c",
                "trap 'echo hup > /tmp/hup; exit 3' HUP; echo ready;"
                " while :; do sleep 1 & wait; done",
                NULL
        };
        g_autoptr(Container) c = container_new();
        g_autofree char *text = NULL;
        WorkerClient *client;
        int master;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        text = read_terminal(master, "ready");
        (void) close(master);
        g_assert_cmpint(finish(client), ==, 3);
        assert_shell(c, "cat /tmp/hup", 0, "hup\n");
}

/* One that does not care for the hangup: its output goes nowhere, its exit status to us. */
TEST(closed_terminal_keeps_the_exit_status) {
        static const char *const argv[] = {
                "sh", "-c",
                "trap '' HUP; mkfifo /tmp/go; echo ready; read x < /tmp/go; echo gone; exit 5",
                NULL
        };
        g_autoptr(Container) c = container_new();
        g_autofree char *text = NULL;
        WorkerClient *client;
        int master;

        if (!c)
                return;
        container_start(c);
        client = open_terminal(c, argv, &master);
        text = read_terminal(master, "ready");
        (void) close(master);
        assert_shell(c, "echo > /tmp/go", 0, "");
        g_assert_cmpint(finish(client), ==, 5);
}

TEST(terminal_of_a_user) {
        static const char *const argv[] = { "sh", "-c", "test -w $(tty) && stat -c %u $(tty)",
                                            NULL };
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int master = -EBADF;
        g_autofree char *text = NULL;
        WorkerClient *client;
        WorkerMessage m;

        if (!c)
                return;
        container_start(c);
        client = worker_client_new(container_worker(), OPERATION_EXEC,
                                   container_exec_args(c, &(Exec) { .user = "alice" }, argv, true),
                                   &c->init_pidfd, 1);
        m = worker_client_receive(client);
        g_assert_cmpuint(m.n_fds, ==, 1);
        master = m.fds[0];
        m.n_fds = 0;
        worker_message_clear(&m);
        text = read_terminal(master, NULL);
        g_assert_cmpstr(text, ==, "1000\r\n");
        g_assert_cmpint(finish(client), ==, 0);
}

/* A program with its standard output in a pipe. */
static WorkerClient *open_pipe(Container *c, const char *command, int *ret_out) {
        const char *const argv[] = { "sh", "-c", command, NULL };
        _cleanup_close_ int null_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int null_out = open("/dev/null", O_WRONLY | O_CLOEXEC);
        WorkerClient *client;
        WorkerMessage m;
        int out[2];

        g_assert_cmpint(pipe2(out, O_CLOEXEC), ==, 0);
        client = worker_client_new(container_worker(), OPERATION_EXEC,
                                   container_exec_args(c, &(Exec) {}, argv, false),
                                   (int[]) { c->init_pidfd, null_in, out[1], null_out }, 4);
        (void) close(out[1]);
        m = worker_client_receive(client);
        g_assert_cmpstr(m.kind, ==, "event");
        g_assert_cmpuint(m.n_fds, ==, 0);
        worker_message_clear(&m);
        *ret_out = out[0];
        return client;
}

TEST(signals) {
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int out = -EBADF;
        g_autofree char *text = NULL, *rest = NULL;
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_pipe(c, "trap 'echo usr1' USR1; echo ready; while :; do sleep 1 & wait; done",
                           &out);
        text = read_terminal(out, "ready");
        send_signal(client, SIGUSR1);
        rest = read_terminal(out, "usr1");
        send_signal(client, 9999); /* refused, not fatal */
        send_signal(client, SIGTERM);
        g_assert_cmpint(finish(client), ==, 128 + SIGTERM);
}

TEST(cancel_ends_the_session) {
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int out = -EBADF;
        g_autofree char *text = NULL, *rest = NULL;
        g_auto(WorkerMessage) m = {};
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_pipe(
                c, "trap '' HUP TERM; sleep 1000 & echo ready; while :; do sleep 1; done", &out);
        text = read_terminal(out, "ready");
        g_assert_cmpint(kill(client->pid, SIGTERM), ==, 0);
        m = worker_client_finish(client);
        g_assert_cmpstr(m.kind, ==, "error");
        rest = read_terminal(out, NULL); /* nobody holds it any more */
        assert_shell(c, "ps -o args= | grep -c '^sleep 1000$'", 1, "0\n");
}

TEST(program_outlives_berthd) {
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int out = -EBADF;
        g_autofree char *text = NULL;
        WorkerClient *client;

        if (!c)
                return;
        container_start(c);
        client = open_pipe(c, "while [ ! -e /tmp/go ]; do sleep 0.05; done; echo done", &out);
        g_assert_cmpint(shutdown(client->channel, 2), ==, 0);
        assert_shell(c, "touch /tmp/go", 0, "");
        text = read_terminal(out, "done");
        (void) worker_client_end(client);
}

static void assert_stdio_refused(Container *c, int in, int out, int err) {
        static const char *const argv[] = { "true", NULL };
        g_auto(WorkerMessage) m = worker_client_finish(
                worker_client_new(container_worker(), OPERATION_EXEC,
                                  container_exec_args(c, &(Exec) {}, argv, false),
                                  (int[]) { c->init_pidfd, in, out, err }, 4));

        g_assert_cmpstr(m.kind, ==, "error");
}

TEST(bad_standard_fds) {
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        _cleanup_close_ int read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int path = open("/", O_PATH | O_CLOEXEC);
        _cleanup_close_ int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -EBADF;
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        g_assert_cmpint(master, >=, 0);
        g_assert_cmpint(unlockpt(master), ==, 0);
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        g_assert_cmpint(slave, >=, 0);
        container_start(c);
        for (int i = 0; i < 3; i++) {
                const int bad[] = { path, directory, master, slave };

                for (size_t k = 0; k < ELEMENTSOF(bad); k++)
                        assert_stdio_refused(c, i == 0 ? bad[k] : null_fd,
                                             i == 1 ? bad[k] : null_fd, i == 2 ? bad[k] : null_fd);
        }
        assert_stdio_refused(c, null_fd, read_only, null_fd);
}

TEST(stopped_container) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, SIGKILL), ==, 0);
        container_await_end(c->monitor_pidfd); /* which has reaped init */
        assert_refused(c, (Exec) {}, "NotRunning", "not run");
}

/* Its init has ended, and nobody has been told yet: its entry in /proc is there, with nothing right
 * in it. */
TEST(container_that_has_just_stopped) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->monitor_pidfd, SIGSTOP), ==, 0);
        g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, SIGKILL), ==, 0);
        container_await_end(c->init_pidfd);
        assert_refused(c, (Exec) {}, "NotRunning", "stopped");
        g_assert_cmpint(fd_pidfd_send_signal(c->monitor_pidfd, SIGCONT), ==, 0);
        container_await_end(c->monitor_pidfd);
}

static void kill_after(int pidfd, useconds_t usec) {
        if (fork() != 0)
                return;
        (void) usleep(usec);
        _exit(fd_pidfd_send_signal(pidfd, SIGKILL) < 0);
}

/* At any moment of the start of a program: it has run, was killed, or there was nothing to run it
 * in. */
TEST(container_that_stops_meanwhile) {
        for (useconds_t usec = 0; usec < 8000; usec += 500) {
                g_autoptr(Container) c = container_new();
                g_auto(ExecResult) result = { 0 };
                int status;

                if (!c)
                        return;
                container_start(c);
                kill_after(c->init_pidfd, usec);
                result = container_shell(c, "true");
                g_assert_cmpint(wait(&status), >, 0);
                container_await_end(c->monitor_pidfd);
                if (result.status < 0)
                        g_assert_cmpstr(strrchr(result.error_name, '.') + 1, ==, "NotRunning");
        }
}

TEST_MAIN()
