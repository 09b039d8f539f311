/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What other users of the host and the root of a container can do to the runtime worker. Every
 * test lets them do it, and asserts that the host is as it was and that the answer is the right one
 * or an error with a name.
 */

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/process.h"
#include "tests/unit/test.h"
#include "tests/worker/container.h"

#define NOBODY 65534
/* The worker gives the container five seconds; nothing may take much longer. */
#define BOUND_USEC (7 * G_TIME_SPAN_SECOND)

/* A process of the host that nobody may touch. */
typedef struct Victim {
        pid_t pid;
        int pidfd;
} Victim;

static pid_t fork_as(pid_t wanted, int *ret_pidfd) {
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uintptr_t) ret_pidfd,
                .exit_signal = SIGCHLD,
                .set_tid = wanted > 0 ? (uintptr_t) &wanted : 0,
                .set_tid_size = wanted > 0 ? 1 : 0,
        };
        long pid = syscall(SYS_clone3, &args, sizeof(args));

        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return (pid_t) pid;
}

static Victim victim_new(pid_t wanted) {
        Victim v = { .pidfd = -EBADF };

        v.pid = fork_as(wanted, &v.pidfd);
        if (v.pid == 0)
                for (;;)
                        (void) pause();
        g_assert_cmpint(v.pid, >, 0);
        return v;
}

/* Ends it, after having seen that nobody else did. */
static void victim_end(Victim *v) {
        int status;

        if (v->pid <= 0)
                return;
        g_assert_cmpint(waitpid(v->pid, &status, WNOHANG), ==, 0);
        g_assert_cmpint(kill(v->pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(v->pid, &status, 0), ==, v->pid);
        v->pidfd = fd_close(v->pidfd);
        v->pid = 0;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Victim, victim_end)

static void assert_named(const char *name, const char *error_name, const char *message) {
        if (!error_name || !g_str_equal(strrchr(error_name, '.') + 1, name))
                g_error("not %s: %s: %s", name, error_name, message);
}

static void assert_message(const WorkerMessage *m, const char *name) {
        const char *n = NULL, *text = NULL;

        g_assert_cmpstr(m->kind, ==, "error");
        g_assert_true(g_variant_lookup(m->content, "name", "&s", &n));
        g_assert_true(g_variant_lookup(m->content, "message", "&s", &text));
        assert_named(name, n, text);
}

static void assert_inside(Container *c, const char *command, const char *out) {
        g_auto(ExecResult) r = container_shell(c, command);

        if (r.status != 0 || !g_str_equal(r.out, out))
                g_error("%s: status %d, \"%s\", \"%s\", error %s", command, r.status, r.out, r.err,
                        r.error);
}

/* --- liblxc's command socket --------------------------------------------------------------- */

/* As liblxc's clients expect it; what the data mean depends on the command. */
typedef struct LxcAnswer {
        int result;
        int data_size;
        void *data;
} LxcAnswer;

/* Answers every command with the same number: a state, or a process. */
G_GNUC_NORETURN static void lie(int listener, pid_t number) {
        for (;;) {
                LxcAnswer answer = { .data = (void *) (intptr_t) number };
                char request[4096];
                int fd = accept(listener, NULL, NULL);

                if (fd < 0)
                        continue;
                while (read(fd, request, sizeof(request)) > 0)
                        (void) send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
                (void) close(fd);
        }
}

/* Another user holds the name that the monitor of the container's start has or wants. */
static Victim liar_new(const Container *c, pid_t number) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        g_autofree char *name = g_strdup_printf("%s/%s/command", c->lxc_path, c->name);
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
        Victim liar = { .pidfd = -EBADF };

        g_assert_cmpuint(strlen(name), <, sizeof(address.sun_path) - 1);
        memcpy(address.sun_path + 1, name, strlen(name));
        g_assert_cmpint(bind(listener, (struct sockaddr *) &address, size), ==, 0);
        g_assert_cmpint(listen(listener, 16), ==, 0);
        liar.pid = fork_as(0, &liar.pidfd);
        if (liar.pid == 0) {
                if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
                        _exit(EXIT_FAILURE);
                lie(listener, number);
        }
        g_assert_cmpint(liar.pid, >, 0);
        return liar;
}

/* The name can't be guessed; even where it were, it is a start that fails, and the next has another
 * name. */
TEST(squatted_name_of_a_start) {
        g_autoptr(Container) c = container_new();
        g_auto(Victim) victim = { .pidfd = -EBADF }, liar = { .pidfd = -EBADF };
        g_autofree char *hostname = NULL;
        GVariantDict *args;

        if (!c)
                return;
        victim = victim_new(0);
        args = container_start_args(c);
        liar = liar_new(c, victim.pid);
        {
                g_auto(WorkerMessage) m = container_start_with(c, args);

                assert_message(&m, "BackendFailed");
                g_assert_false(container_has_groups(c));
                g_assert_cmpint(access(c->lxc_path, F_OK), <, 0);
        }
        container_start(c);
        g_assert_cmpint(c->init, !=, victim.pid);
        hostname = g_strconcat(c->name, "\n", NULL);
        assert_inside(c, "hostname", hostname);
        container_clean(c);
}

/* Without its monitor a container goes on, and its socket's name is anybody's. */
TEST(squatted_name_of_a_running_container) {
        g_autoptr(Container) c = container_new();
        g_auto(Victim) victim = { .pidfd = -EBADF }, liar = { .pidfd = -EBADF };

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->monitor_pidfd, SIGKILL), ==, 0);
        container_await_end(c->monitor_pidfd);
        victim = victim_new(0);
        liar = liar_new(c, victim.pid);
        assert_inside(c, "ps -o pid,args | grep -c '^ *1 .*init'", "1\n");
        {
                g_auto(WorkerMessage) frozen = container_run(c, OPERATION_FREEZE);
                g_auto(WorkerMessage) thawed = container_run(c, OPERATION_UNFREEZE);

                g_assert_cmpstr(frozen.kind, ==, "result");
                g_assert_cmpstr(thawed.kind, ==, "result");
        }
        container_clean(c);
}

/* --- whose process is it? ------------------------------------------------------------------ */

/* Runs `true` in what is said to be the container. NULL: the error depends on the host. */
static void assert_exec_refused(Container *c, pid_t pid, int pidfd, const char *error) {
        Container other = *c;

        other.init = pid;
        other.init_pidfd = pidfd;
        {
                g_auto(ExecResult) r = container_shell(&other, "true");

                g_assert_cmpint(r.status, ==, -1);
                if (error)
                        assert_named(error, r.error_name, r.error);
                else
                        g_assert_nonnull(r.error_name);
        }
}

static pid_t child_of(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
        g_autofree char *text = NULL;

        for (int64_t end = g_get_monotonic_time() + BOUND_USEC; g_get_monotonic_time() < end;) {
                g_clear_pointer(&text, g_free);
                g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
                if (*text != '\0')
                        return (pid_t) g_ascii_strtoll(text, NULL, 10);
                (void) sched_yield();
        }
        g_error("process %d has no children", pid);
}

TEST(exec_enters_no_other_process) {
        g_autoptr(Container) c = container_new(), sibling = container_new();
        g_auto(Victim) victim = { .pidfd = -EBADF };
        _cleanup_close_ int host_init = -EBADF, inner_fd = -EBADF;
        pid_t inner;

        if (!c || !sibling)
                return;
        container_start(c);
        container_start(sibling);
        victim = victim_new(0);
        host_init = fd_pidfd_open(1);
        inner = child_of(c->init);
        inner_fd = fd_pidfd_open(inner);

        assert_exec_refused(c, 1, host_init, NULL);
        assert_exec_refused(c, victim.pid, victim.pidfd, "Failed");
        assert_exec_refused(c, inner, inner_fd, "Failed");
        assert_exec_refused(c, sibling->init, sibling->init_pidfd, "Failed");
        /* The fd of one, the number of another */
        assert_exec_refused(c, 1, c->init_pidfd, "NotRunning");
        assert_exec_refused(c, c->init, victim.pidfd, "NotRunning");
        assert_exec_refused(c, c->init, STDERR_FILENO, "NotRunning");
        assert_inside(c, "echo fine", "fine\n");
}

TEST(exec_wants_the_id_map_of_the_start) {
        static const char *const argv[] = { "true", NULL };
        static const char *const maps[] = {
                "@a(suuu) [('u', 0, 1700065536, 65536), ('g', 0, 1700000000, 65536)]",
                "@a(suuu) [('u', 0, 1700000000, 65536), ('g', 0, 1700065536, 65536)]",
                "@a(suuu) [('u', 0, 1700000000, 65535), ('g', 0, 1700000000, 65536)]",
                "@a(suuu) []", /* that of a privileged one */
        };
        g_autoptr(Container) c = container_new();
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (!c)
                return;
        container_start(c);
        for (size_t i = 0; i < ELEMENTSOF(maps); i++) {
                g_autoptr(GVariant) right = g_variant_ref_sink(
                        container_exec_args(c, &(Exec) {}, argv, false));
                g_auto(WorkerMessage) m = {};
                GVariantDict args;

                g_variant_dict_init(&args, right);
                g_variant_dict_insert_value(&args, "idmap",
                                            g_variant_new_parsed(maps[i]));
                m = worker_client_finish(worker_client_new(
                        container_worker(), OPERATION_EXEC, g_variant_dict_end(&args),
                        (int[]) { c->init_pidfd, null, null, null }, 4));
                assert_message(&m, "Failed");
        }
}

static void assert_console_refused(Container *c, int monitor_fd) {
        GVariantDict args;
        g_auto(WorkerMessage) m = {};

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->name);
        g_variant_dict_insert(&args, "lxc-path", "s", c->lxc_path);
        g_variant_dict_insert(&args, "console-log", "s", c->console_log);
        g_variant_dict_insert(&args, "history", "b", FALSE);
        g_variant_dict_insert(&args, "width", "u", 80);
        g_variant_dict_insert(&args, "height", "u", 24);
        m = worker_client_finish(worker_client_new(g_getenv("BERTH_WORKER_CONSOLE"),
                                                   OPERATION_CONSOLE, g_variant_dict_end(&args),
                                                   &monitor_fd, 1));
        assert_message(&m, "NotRunning");
}

/* Whoever answers for a monitor would be given what is typed. */
TEST(a_console_is_of_the_monitor) {
        g_autoptr(Container) c = container_new(), sibling = container_new();
        g_auto(Victim) victim = { .pidfd = -EBADF };

        if (!c || !sibling)
                return;
        container_start(c);
        container_start(sibling);
        victim = victim_new(0);
        assert_console_refused(c, victim.pidfd);
        assert_console_refused(c, c->init_pidfd);
        assert_console_refused(c, sibling->monitor_pidfd);
        assert_console_refused(c, STDERR_FILENO);
        /* It would be the right one, but for the name. */
        assert_console_refused(sibling, c->monitor_pidfd);
}

/* The kernel gives the number of a dead init to somebody else. */
TEST(number_of_a_dead_init_is_given_away) {
        g_autoptr(Container) c = container_new();
        g_auto(Victim) victim = { .pidfd = -EBADF };

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, SIGKILL), ==, 0);
        container_await_end(c->init_pidfd);
        container_await_end(c->monitor_pidfd);
        victim = victim_new(c->init);
        g_assert_cmpint(victim.pid, ==, c->init);

        assert_exec_refused(c, c->init, c->init_pidfd, "NotRunning");
        assert_exec_refused(c, c->init, victim.pidfd, "Failed");
        {
                g_auto(WorkerMessage) m = container_run(c, OPERATION_FREEZE);

                assert_message(&m, "NotRunning");
        }
        container_clean(c);
}

/* --- what the container's root puts in the way ---------------------------------------------- */

static ExecResult run_as(Container *c, const char *user, const char *cwd) {
        static const char *const argv[] = { "sh", "-c", "id -u; pwd", NULL };
        int64_t before = g_get_monotonic_time();
        ExecResult r = container_exec_with(c, &(Exec) { .user = user, .cwd = cwd }, argv);

        g_assert_cmpint(g_get_monotonic_time() - before, <, BOUND_USEC);
        return r;
}

/* By /etc/passwd a name becomes an id; the file is all the container's. */
TEST(fake_passwd) {
        static const struct {
                const char *command, *error; /* NULL: alice is found */
        } fakes[] = {
                { "mkfifo /etc/passwd", "Failed" },
                { "mkdir /etc/passwd", "Failed" },
                { "ln -s /dev/zero /etc/passwd", "Failed" },
                { "ln -s /etc/passwd /etc/passwd", "Failed" },
                { "ln -s /proc/self/fd/3 /etc/passwd", "Failed" },
                { "ln -s /proc/self/exe /etc/passwd", "Failed" },
                { "ln -s /proc/1/root/etc/saved /etc/passwd", "Failed" },
                { "dd if=/dev/zero of=/etc/passwd bs=1 count=0 seek=1099511627776 2>&-", "Failed" },
                { "yes x:x:x | head -c 3000000 > /etc/passwd", "InvalidArgs" },
                { "yes :::::::::::::::: | head -c 3000000 > /etc/passwd", "InvalidArgs" },
                { "dd if=/bin/busybox of=/etc/passwd bs=1M count=1 2>&-", "Failed" },
                { "ln -s saved /etc/passwd", NULL },
                { "cp /etc/saved /etc/passwd", NULL },
        };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        assert_inside(c, "cp /etc/passwd /etc/saved", "");
        for (size_t i = 0; i < ELEMENTSOF(fakes); i++) {
                g_autofree char *command =
                        g_strdup_printf("rm -rf /etc/passwd; %s", fakes[i].command);

                assert_inside(c, command, "");
                {
                        g_auto(ExecResult) r = run_as(c, "alice", "/");

                        if (fakes[i].error)
                                assert_named(fakes[i].error, r.error_name, r.error);
                        else
                                g_assert_cmpstr(r.out, ==, "1000\n/\n");
                }
                /* Root gets in by its number, or nobody could repair it. */
                assert_inside(c, "echo in", "in\n");
        }
}

/* A name that leads to a file of the host when the host follows it, and into the container when
 * the container does. */
TEST(passwd_does_not_lead_to_the_host) {
        g_autoptr(Container) c = container_new();
        g_autofree char *sentinel = NULL, *command = NULL;

        if (!c)
                return;
        container_start(c);
        sentinel = g_build_filename(c->directory, "sentinel", NULL);
        g_assert_true(g_file_set_contents(sentinel, "evil:x:0:0::/:/bin/sh\n", -1, NULL));
        command = g_strdup_printf("ln -sf %s /etc/passwd", sentinel);
        assert_inside(c, command, "");
        {
                g_auto(ExecResult) r = run_as(c, "evil", "/");

                assert_named("InvalidArgs", r.error_name, r.error);
        }
}

/* Nothing that the worker believes comes from the container's own /proc. */
TEST(fake_proc) {
        static const char *const fakes[] = {
                "mount -t tmpfs none /proc",
                "mkdir -p /proc/self/attr /proc/self/fd /proc/1; ln -s / /proc/1/root;"
                " ln -s / /proc/self/fd/3; mkfifo /proc/self/attr/exec /proc/self/oom_score_adj",
        };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        for (size_t i = 0; i < ELEMENTSOF(fakes); i++)
                assert_inside(c, fakes[i], "");
        {
                g_auto(ExecResult) a = run_as(c, "alice", "");
                g_auto(ExecResult) b = run_as(c, "", "/proc/1/root");
                g_auto(ExecResult) d = run_as(c, "", "/proc/self/fd/3");

                g_assert_cmpstr(a.out, ==, "1000\n/home/alice\n");
                /* These are plain links there, to the container's own root. */
                g_assert_cmpstr(b.out, ==, "0\n/\n");
                g_assert_cmpstr(d.out, ==, "0\n/\n");
        }
}

/* An fd of the worker, or a way around the container's root. */
TEST(magic_directories) {
        static const char *const paths[] = {
                "/proc/1/root", "/proc/1/cwd", "/proc/self/root", "/proc/self/cwd",
                "/proc/thread-self/root", "/tmp/link", "/tmp/link/..", "/proc/1/root/tmp",
        };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        assert_inside(c, "ln -s /proc/1/root /tmp/link", "");
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                g_auto(ExecResult) r = run_as(c, "", paths[i]);

                g_assert_cmpint(r.status, ==, -1);
                assert_named("InvalidArgs", r.error_name, r.error);
        }
        for (int fd = 0; fd < 16; fd++) {
                g_autofree char *link = g_strdup_printf("ln -sfn /proc/self/fd/%d /tmp/fd", fd);

                assert_inside(c, link, "");
                {
                        g_auto(ExecResult) r = run_as(c, "", "/tmp/fd");

                        g_assert_cmpint(r.status, ==, -1);
                        g_assert_nonnull(r.error_name);
                }
        }
}

/* --- terminals ------------------------------------------------------------------------------- */

static void assert_no_terminal(Container *c, const char *mess) {
        static const char *const argv[] = { "true", NULL };
        int64_t before = g_get_monotonic_time();

        assert_inside(c, mess, "");
        {
                g_auto(WorkerMessage) m = worker_client_finish(worker_client_new(
                        container_worker(), OPERATION_EXEC,
                        container_exec_args(c, &(Exec) {}, argv, true), &c->init_pidfd, 1));

                assert_message(&m, "Failed");
        }
        g_assert_cmpint(g_get_monotonic_time() - before, <, BOUND_USEC);
        assert_inside(c, "echo without", "without\n");
}

TEST(fake_devpts) {
        static const char *const messes[] = {
                "touch /tmp/plain; mount --bind /tmp/plain /dev/pts/ptmx",
                "umount /dev/pts/ptmx; mkfifo /tmp/fifo; mount --bind /tmp/fifo /dev/pts/ptmx",
                "umount /dev/pts/ptmx; mount --bind /dev/null /dev/pts/ptmx",
                "mount -t tmpfs none /dev/pts; mkfifo /dev/pts/ptmx",
                ("umount /dev/pts; umount /dev/pts/ptmx; umount -l /dev/pts; rmdir /dev/pts;"
                 " mkdir /tmp/pts; mount -t devpts none /tmp/pts; ln -s /tmp/pts /dev/pts"),
                "rm /dev/pts; ln -s /proc/self/fd /dev/pts",
                "rm /dev/pts; mkfifo /dev/pts",
        };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        for (size_t i = 0; i < ELEMENTSOF(messes); i++)
                assert_no_terminal(c, messes[i]);
}

static void add_attacker(Container *c) {
        g_autofree char *program = NULL, *path = g_build_filename(c->rootfs, "bin/attacker", NULL);
        gsize size;

        g_assert_true(g_file_get_contents(g_getenv("BERTH_TEST_ATTACKER"), &program, &size, NULL));
        g_assert_true(g_file_set_contents(path, program, (gssize) size, NULL));
        g_assert_cmpint(chmod(path, 0755), ==, 0);
}

TEST(no_terminal_comes_along) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        add_attacker(c);
        container_start(c);
        assert_inside(c, "attacker terminals", "0\n");
}

/* Nobody inside keeps the worker from telling how a program ended. */
TEST(a_tracer_that_takes_no_notice) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        add_attacker(c);
        container_start(c);
        {
                g_auto(ExecResult) r = container_shell(c, "exec attacker traced");

                g_assert_cmpint(r.status, ==, 7);
        }
        assert_inside(c, "echo goes on", "goes on\n");
}

/* --- the helper that enters ------------------------------------------------------------------ */

static char *hash_of_worker(void) {
        g_autofree char *text = NULL;
        gsize size;

        g_assert_true(g_file_get_contents(container_worker(), &text, &size, NULL));
        return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *) text, size);
}

/* A long /etc/passwd keeps the helper busy where the container sees it. */
TEST(helper_is_out_of_reach) {
        static const char *const argv[] = { "attacker", "watch", "/tmp/enough", NULL };
        g_autoptr(Container) c = container_new();
        g_autofree char *before = hash_of_worker(), *after = NULL, *seen = NULL;
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        g_auto(GStrv) fields = NULL;
        WorkerClient *client;

        if (!c)
                return;
        add_attacker(c);
        container_start(c);
        assert_inside(c, "yes mallory:x:9:9::/:/bin/sh | head -c 1000000 >> /etc/passwd", "");
        client = worker_client_new(container_worker(), OPERATION_EXEC,
                                   container_exec_args(c, &(Exec) {}, argv, false),
                                   (int[]) { c->init_pidfd, null, out, out }, 4);
        for (int i = 0; i < 12; i++) {
                g_auto(ExecResult) r = run_as(c, "1000", "/");

                g_assert_cmpstr(r.out, ==, "1000\n/\n");
        }
        assert_inside(c, "touch /tmp/enough", "");
        {
                g_auto(WorkerMessage) m = worker_client_finish(client);

                g_assert_cmpstr(m.kind, ==, "result");
        }
        g_assert_cmpint(lseek(out, 0, SEEK_SET), ==, 0);
        g_assert_cmpint(fd_read_text(out, 4096, &seen), ==, 0);
        printf("helpers seen, reached, by: %s", seen);
        fields = g_strsplit(seen, " ", 3);
        g_assert_cmpuint(g_strv_length(fields), ==, 3);
        g_assert_cmpstr(fields[0], !=, "0");
        g_assert_cmpstr(fields[1], ==, "0");
        after = hash_of_worker();
        g_assert_cmpstr(before, ==, after);
}

/* --- what becomes text for liblxc ------------------------------------------------------------ */

TEST(names_never_reach_the_configuration) {
        static const char *const names[] = {
                "a\nlxc.hook.pre-start = /bin/touch /tmp/berth-test-owned", "a\r", "a\tb", "a b",
                "a\"", "\x1b[2J", "a\x7f", "../a", "a/b", ".", "", "-a", "a=b", "a#", "\xc3\xa4",
        };
        static const char *const paths[] = { "rootfs", "log-file", "console-log", "lxc-path" };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                GVariantDict *args = container_start_args(c);
                g_auto(WorkerMessage) m = {};

                g_variant_dict_insert(args, "name", "s", names[i]);
                m = container_start_with(c, args);
                assert_message(&m, "InvalidName");
                g_assert_cmpint(rmdir(c->lxc_path), ==, 0); /* nothing was written there */
        }
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                GVariantDict *args = container_start_args(c);
                g_auto(WorkerMessage) m = {};

                g_variant_dict_insert(args, paths[i], "s", "/tmp/x\nlxc.hook.pre-start = /bin/x");
                m = container_start_with(c, args);
                assert_message(&m, "InvalidArgs");
                g_assert_cmpint(rmdir(c->lxc_path), ==, 0);
        }
        g_clear_pointer(&c->lxc_path, g_free);
        g_assert_false(container_has_groups(c));
}

TEST_MAIN()
