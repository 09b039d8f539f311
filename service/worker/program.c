/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/worker.h"

/* What we keep of a program's output. */
#define OUTPUT_MAX 4096
/* The most that one may have to say that is asked for it. */
#define RESULT_MAX (16U << 20)

static char *program_find(const char *name) {
        static const char *const dirs[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

        if (*name == '/')
                return g_strdup(name);
        for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", dirs[i], name);

                if (access(path, X_OK) >= 0)
                        return g_steal_pointer(&path);
        }
        return NULL;
}

/* In the child: nothing but system calls. All fds are out of the way of those that they become. */
static void G_GNUC_NORETURN program_exec(const char *path, const char *const *argv, int fd,
                                         int output_fd, int error_fd, pid_t parent) {
        static const char *const environment[] = { "LC_ALL=C", NULL };
        sigset_t none;

        (void) sigemptyset(&none);
        (void) signal(SIGTERM, SIG_DFL);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(127);
        if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(error_fd, STDERR_FILENO) < 0 ||
            (fd >= 0 && dup2(fd, PROGRAM_FD) < 0))
                _exit(127);
        (void) execve(path, (char *const *) argv, (char *const *) environment);
        _exit(127);
}

/* Reads to the end of file or to the cancellation. SIGTERM is blocked but while it waits, so that
 * none goes by unseen. */
static int program_read_output(int fd, const sigset_t *unblocked, GString *output,
                               Error *ret_error) {
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                char buffer[1024];
                ssize_t n;

                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                if (ppoll(&p, 1, NULL, unblocked) < 0 && errno != EINTR)
                        return -errno;
                if (p.revents == 0)
                        continue;
                n = read(fd, buffer, sizeof(buffer));
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0 && output->len + (size_t) n <= OUTPUT_MAX)
                        g_string_append_len(output, buffer, n);
        }
}

static int program_wait(pid_t pid, int *ret_status) {
        while (waitpid(pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* What comes after the error may be advice, or warnings of something else. */
static const char *program_last_line(char *text) {
        for (;;) {
                char *end = strrchr(text, '\n'), *line = end ? end + 1 : text;

                while (g_ascii_isspace(*line))
                        line++;
                if (!end || (!g_str_has_prefix(line, "Run `") &&
                             !g_str_has_prefix(line, "WARNING:")))
                        return line;
                *end = '\0';
        }
}

static int program_report(const char *name, GString *output, Error *ret_error) {
        g_autofree char *text = g_utf8_make_valid(g_strchomp(output->str), -1);
        const char *line = program_last_line(text);

        name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
        if (g_str_has_prefix(line, "ERROR: "))
                line += strlen("ERROR: ");
        return error_set(ret_error, ERROR_BACKEND_FAILED, "%s failed%s%s", name, *line ? ": " : "",
                         line);
}

/* Returns the program's pid. What it writes goes to the pipe, its standard output to `result_fd`
 * where there is one. */
static pid_t program_start(const char *path, const char *const *argv, int fd, int result_fd,
                           int *ret_output_fd) {
        _cleanup_close_ int read_fd = -EBADF, write_fd = -EBADF, child_fd = -EBADF,
                            child_error_fd = -EBADF, child_output_fd = -EBADF;
        pid_t parent = getpid(), pid;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        read_fd = ends[0];
        write_fd = ends[1];
        if (fd >= 0)
                child_fd = fcntl(fd, F_DUPFD_CLOEXEC, PROGRAM_FD + 1);
        child_error_fd = fcntl(write_fd, F_DUPFD_CLOEXEC, PROGRAM_FD + 1);
        child_output_fd = fcntl(result_fd >= 0 ? result_fd : write_fd, F_DUPFD_CLOEXEC,
                                PROGRAM_FD + 1);
        if ((fd >= 0 && child_fd < 0) || child_error_fd < 0 || child_output_fd < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                program_exec(path, argv, child_fd, child_output_fd, child_error_fd, parent);
        *ret_output_fd = TAKE_FD(read_fd);
        return pid;
}

static int program_finish(pid_t pid, int output_fd, const sigset_t *unblocked, const char *name,
                          int *ret_status, Error *ret_error) {
        g_autoptr(GString) output = g_string_new(NULL);
        int status, r, q;

        r = program_read_output(output_fd, unblocked, output, ret_error);
        if (r < 0)
                (void) kill(pid, SIGKILL);
        q = program_wait(pid, &status);
        if (r < 0 || q < 0)
                return r < 0 ? r : q;
        if (status != 0 && (!ret_status || !WIFEXITED(status)))
                return program_report(name, output, ret_error);
        if (ret_status)
                *ret_status = WEXITSTATUS(status);
        return 0;
}

static int program_execute(const char *const *argv, int fd, int result_fd, int *ret_status,
                           Error *ret_error) {
        g_autofree char *path = program_find(argv[0]);
        _cleanup_close_ int output_fd = -EBADF;
        sigset_t term, old;
        pid_t pid;
        int r;

        if (!path)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The program %s is not installed on this host", argv[0]);

        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &term, &old);
        pid = program_start(path, argv, fd, result_fd, &output_fd);
        r = pid < 0 ? pid
                    : program_finish(pid, output_fd, &old, argv[0], ret_status, ret_error);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}

int program_run(const char *const *argv, int fd, Error *ret_error) {
        return program_execute(argv, fd, -EBADF, NULL, ret_error);
}

int program_run_status(const char *const *argv, int *ret_status, Error *ret_error) {
        return program_execute(argv, -EBADF, -EBADF, ret_status, ret_error);
}

int program_read(const char *const *argv, char **ret, Error *ret_error) {
        _cleanup_close_ int fd = memfd_create("output", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = program_execute(argv, -EBADF, fd, NULL, ret_error);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return fd_read_text(fd, RESULT_MAX, ret);
}

bool program_is_installed(const char *name) {
        g_autofree char *path = program_find(name);

        return path != NULL;
}
