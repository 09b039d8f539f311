/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

/* A client that hangs must not hang the tests. */
#define PATIENCE_MS 20000
#define UNPRIVILEGED_UID 65534

static const char *environment(const char *name) {
        const char *value = getenv(name);

        if (!value)
                g_error("%s is not set; run this through meson test", name);
        return value;
}

char *fixture_path(Fixture *f, const char *name) {
        return g_build_filename(f->directory, name, NULL);
}

void fixture_write(Fixture *f, const char *name, const char *content) {
        g_autofree char *path = fixture_path(f, name);

        g_assert_true(g_file_set_contents(path, content, -1, NULL));
}

static pid_t child_new(void) {
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

static void child_end(pid_t pid) {
        if (pid <= 0)
                return;
        (void) kill(pid, SIGTERM);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* Starts a program whose first line on standard output says that it is ready. */
static pid_t start_ready(int in, const char *const *argv) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        char line[256];
        int fds[2];
        ssize_t n;
        pid_t pid;

        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        read_end = fds[0];
        write_end = fds[1];
        pid = child_new();
        if (pid == 0) {
                if (dup2(in, STDIN_FILENO) < 0 || dup2(write_end, STDOUT_FILENO) < 0)
                        _exit(126);
                (void) execvp(argv[0], (char **) argv);
                _exit(127);
        }
        write_end = fd_close(write_end);
        n = read(read_end, line, sizeof(line));
        if (n <= 0)
                g_error("%s did not start", argv[0]);
        return pid;
}

static void start_bus(Fixture *f) {
        static const char config[] =
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\""
                " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">"
                "<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
                "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
                "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy>"
                "</busconfig>";
        g_autofree char *path = fixture_path(f, "bus.conf"), *option = NULL, *text = NULL;
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        text = g_strdup_printf(config, f->directory);
        fixture_write(f, "bus.conf", text);
        option = g_strconcat("--config-file=", path, NULL);
        f->bus = start_ready(null, (const char *[]) { "dbus-daemon", option, "--nofork",
                                                      "--print-address=1", NULL });
}

static void start_service(Fixture *f) {
        g_autofree char *log = fixture_path(f, "log");
        _cleanup_close_ int read_end = -EBADF;
        int fds[2];

        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        read_end = fds[0];
        f->service_stdin = fds[1];
        f->service = start_ready(read_end, (const char *[]) { environment("TEST_FAKE"),
                                                              environment("TEST_INTROSPECTION"),
                                                              log, NULL });
}

Fixture *fixture_new_without_service(void) {
        Fixture *f = g_new0(Fixture, 1);
        g_autofree char *address = NULL;

        f->service_stdin = -EBADF;
        f->directory = g_build_filename(g_get_tmp_dir(), "berth-test-XXXXXX", NULL);
        g_assert_nonnull(g_mkdtemp(f->directory));
        g_assert_cmpint(chmod(f->directory, 0777), ==, 0);
        address = g_strdup_printf("unix:path=%s/bus", f->directory);
        g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE));
        g_assert_true(g_setenv("BERTH_CONF", f->directory, TRUE));
        g_assert_true(g_setenv("LC_ALL", "C.UTF-8", TRUE));
        g_assert_true(g_setenv("TZ", "UTC", TRUE));
        g_unsetenv("NO_COLOR");
        /* A shell has its background jobs ignore them, and a script cannot trap what is ignored. */
        g_assert_true(signal(SIGINT, SIG_DFL) != SIG_ERR);
        g_assert_true(signal(SIGQUIT, SIG_DFL) != SIG_ERR);
        start_bus(f);
        return f;
}

Fixture *fixture_new(void) {
        Fixture *f = fixture_new_without_service();

        start_service(f);
        return f;
}

void fixture_free(Fixture *f) {
        g_autofree char *base = NULL;
        int tmp;

        if (!f)
                return;
        f->service_stdin = fd_close(f->service_stdin);
        if (f->service > 0)
                while (waitpid(f->service, NULL, 0) < 0 && errno == EINTR)
                        ;
        child_end(f->bus);
        base = g_path_get_basename(f->directory);
        tmp = path_open_dir(g_get_tmp_dir());
        g_assert_cmpint(path_remove_tree(tmp, base), ==, 0);
        (void) fd_close(tmp);
        g_free(f->directory);
        g_free(f);
}

char *fixture_log(Fixture *f) {
        g_autofree char *path = fixture_path(f, "log");
        char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

void fixture_expect_log(Fixture *f, const char *line) {
        g_autofree char *text = fixture_log(f);

        if (!strstr(text, line))
                g_error("The service never got '%s', but:\n%s", line, text);
}

void fixture_reject_log(Fixture *f, const char *line) {
        g_autofree char *text = fixture_log(f);

        if (strstr(text, line))
                g_error("The service got '%s':\n%s", line, text);
}

static void G_GNUC_NORETURN exec_client(Fixture *f, const char *const *words) {
        bool call = g_str_equal(words[0], "berth-call");
        const char *program = environment(call ? "TEST_BERTH_CALL" : "TEST_BERTH");
        /* Opened now: who builds in a home of his own lets nobody else look for it there. */
        int fd = open(program, O_PATH | O_CLOEXEC);
        g_autoptr(GPtrArray) argv = g_ptr_array_new();

        g_ptr_array_add(argv, (char *) program);
        for (const char *const *word = words + (call ? 1 : 0); *word; word++)
                g_ptr_array_add(argv, (char *) *word);
        g_ptr_array_add(argv, NULL);
        (void) signal(SIGPIPE, SIG_DFL);
        if (chdir(f->directory) < 0)
                _exit(126);
        if (f->unprivileged && geteuid() == 0 &&
            (setgid(UNPRIVILEGED_UID) < 0 || setuid(UNPRIVILEGED_UID) < 0))
                _exit(126);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) execveat(fd, "", (char **) argv->pdata, environ, AT_EMPTY_PATH);
        _exit(127);
}

static int status_of(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                g_assert_cmpint(errno, ==, EINTR);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Reads both pipes to their end. */
static void collect(int out, int err, pid_t pid, Run *run) {
        GString *texts[] = { g_string_new(NULL), g_string_new(NULL) };
        struct pollfd fds[] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };

        while (fds[0].fd >= 0 || fds[1].fd >= 0) {
                if (poll(fds, 2, PATIENCE_MS) == 0) {
                        (void) kill(pid, SIGKILL);
                        g_error("The client hangs; so far: '%s' '%s'", texts[0]->str,
                                texts[1]->str);
                }
                for (size_t i = 0; i < 2; i++) {
                        char buffer[4096];
                        ssize_t n;

                        if (fds[i].fd < 0 || fds[i].revents == 0)
                                continue;
                        n = read(fds[i].fd, buffer, sizeof(buffer));
                        if (n > 0)
                                g_string_append_len(texts[i], buffer, n);
                        else
                                fds[i].fd = -1;
                }
        }
        run->out = g_string_free(texts[0], FALSE);
        run->err = g_string_free(texts[1], FALSE);
}

/* An input that is there as a whole, so that nobody has to write it meanwhile. */
static int input_new(const char *input) {
        int fds[2];

        if (!input)
                return open("/dev/null", O_RDONLY | O_CLOEXEC);
        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        g_assert_cmpint(fd_write_all(fds[1], input, strlen(input)), ==, 0);
        (void) close(fds[1]);
        return fds[0];
}

Run *fixture_run_words(Fixture *f, const char *input, const char *const *words) {
        _cleanup_close_ int in = input_new(input), out = -EBADF, err = -EBADF;
        int out_fds[2], err_fds[2];
        Run *run = g_new0(Run, 1);
        pid_t pid;

        g_assert_cmpint(pipe2(out_fds, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(err_fds, O_CLOEXEC), ==, 0);
        out = out_fds[0];
        err = err_fds[0];
        pid = child_new();
        if (pid == 0) {
                if (dup2(in, STDIN_FILENO) < 0 || dup2(out_fds[1], STDOUT_FILENO) < 0 ||
                    dup2(err_fds[1], STDERR_FILENO) < 0)
                        _exit(126);
                exec_client(f, words);
        }
        (void) close(out_fds[1]);
        (void) close(err_fds[1]);
        collect(out, err, pid, run);
        run->status = status_of(pid);
        return run;
}

static GPtrArray *words_of(const char *first, va_list ap) {
        GPtrArray *words = g_ptr_array_new();

        for (const char *word = first; word; word = va_arg(ap, const char *))
                g_ptr_array_add(words, (char *) word);
        g_ptr_array_add(words, NULL);
        return words;
}

Run *fixture_run(Fixture *f, const char *input, const char *word, ...) {
        g_autoptr(GPtrArray) words = NULL;
        va_list ap;

        va_start(ap, word);
        words = words_of(word, ap);
        va_end(ap);
        return fixture_run_words(f, input, (const char *const *) words->pdata);
}

void run_free(Run *r) {
        g_free(r->out);
        g_free(r->err);
        g_free(r);
}

Run *run_check(Run *r, int status, int line) {
        if (r->status != status)
                g_error("line %d: exit status %d instead of %d; stdout: %s stderr: %s", line,
                        r->status, status, r->out, r->err);
        return r;
}

void expect_text(const char *text, const char *part, const char *what, int line) {
        if (!strstr(text, part))
                g_error("line %d: '%s' is not in %s:\n%s", line, part, what, text);
}

/* Returns 0 in the child. */
static pid_t tty_fork(Tty *t) {
        struct winsize size = { .ws_col = 100, .ws_row = 40 };

        t->text = g_string_new(NULL);
        t->pid = forkpty(&t->master, NULL, NULL, &size);
        g_assert_cmpint(t->pid, >=, 0);
        return t->pid;
}

Tty *tty_new(Fixture *f, const char *word, ...) {
        g_autoptr(GPtrArray) words = NULL;
        Tty *t = g_new0(Tty, 1);
        va_list ap;

        va_start(ap, word);
        words = words_of(word, ap);
        va_end(ap);
        if (tty_fork(t) == 0)
                exec_client(f, (const char *const *) words->pdata);
        return t;
}

Tty *tty_new_shell(Fixture *f, const char *script) {
        Tty *t = g_new0(Tty, 1);

        if (tty_fork(t) == 0) {
                if (chdir(f->directory) == 0)
                        (void) execl("/bin/sh", "sh", "-c", script, (char *) NULL);
                _exit(126);
        }
        return t;
}

/* Returns false at the end. */
static bool tty_read(Tty *t) {
        struct pollfd p = { .fd = t->master, .events = POLLIN };
        char buffer[4096];
        ssize_t n;

        if (poll(&p, 1, PATIENCE_MS) <= 0) {
                (void) kill(t->pid, SIGKILL);
                g_error("The client hangs on its terminal; so far: %s", t->text->str);
        }
        n = read(t->master, buffer, sizeof(buffer));
        if (n <= 0)
                return false;
        g_string_append_len(t->text, buffer, n);
        return true;
}

void tty_expect(Tty *t, const char *text) {
        const char *found;

        while (!(found = strstr(t->text->str + t->seen, text)))
                if (!tty_read(t))
                        g_error("'%s' never came; the terminal has: %s", text, t->text->str);
        t->seen = found + strlen(text) - t->text->str;
}

void tty_send(Tty *t, const char *text) {
        g_assert_cmpint(fd_write_all(t->master, text, strlen(text)), ==, 0);
}

void tty_resize(Tty *t, unsigned columns, unsigned rows) {
        struct winsize size = { .ws_col = columns, .ws_row = rows };

        g_assert_cmpint(ioctl(t->master, TIOCSWINSZ, &size), ==, 0);
}

int tty_wait(Tty *t) {
        int status;

        while (tty_read(t))
                ;
        status = status_of(t->pid);
        t->pid = 0;
        return status;
}

void tty_free(Tty *t) {
        if (t->pid > 0) {
                (void) kill(t->pid, SIGKILL);
                (void) status_of(t->pid);
        }
        (void) fd_close(t->master);
        g_string_free(t->text, TRUE);
        g_free(t);
}
