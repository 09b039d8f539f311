/* SPDX-License-Identifier: Apache-2.0 */
#include "client/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "client/job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

typedef struct Receipt {
        Client *c;
        MigrateMode mode;
        char *name, *path;
        bool made;  /* the container is there, and ours to delete */
        bool ours;  /* to start: the other side does not, until it is told that we cannot */
} Receipt;

static void receipt_done(Receipt *receipt) {
        g_free(receipt->name);
        g_free(receipt->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Receipt, receipt_done)

/* "VERSION MODE NAME" */
static int read_hello(Receipt *receipt, Error *ret_error) {
        const char *wanted = client_argument(receipt->c, 0);
        g_autofree char *hello = NULL;
        g_auto(GStrv) words = NULL;
        int r = frame_expect(STDIN_FILENO, FRAME_HELLO, &hello, ret_error);

        if (r < 0)
                return r;
        words = g_strsplit(hello, " ", 3);
        if (g_strv_length(words) != 3 || !g_str_equal(words[0], MIGRATE_VERSION) ||
            migrate_mode_from_string(words[1]) < 0)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The other side speaks another version than this one");
        receipt->mode = migrate_mode_from_string(words[1]);
        r = client_object_name(wanted ?: words[2], &receipt->name, ret_error);
        return r < 0 ? r
                     : client_object_path(OBJECT_CONTAINER, receipt->name, &receipt->path,
                                          ret_error);
}

/* Before the other side stops anything. */
static int check_free(const Receipt *receipt, Error *ret_error) {
        g_autoptr(Object) o = NULL;
        g_auto(Error) error = ERROR_INIT;

        if (client_get_object(receipt->c, OBJECT_CONTAINER, receipt->path, &o, &error) >= 0)
                return error_set(ret_error, ERROR_EXISTS, "There is a container '%s' here already",
                                 receipt->name);
        if (error.code == ERROR_NO_SUCH_CONTAINER)
                return 0;
        return error_set(ret_error, error.code, "%s", error.message);
}

/* Hands the frames of that kind to a job, through a pipe. `arguments` is made with the fd. */
static int receive(Receipt *receipt, FrameKind kind, ObjectKind object, const char *path,
                   const char *member, GVariant *(*arguments)(const Receipt *receipt, int fd),
                   Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        g_autoptr(Job) job = NULL;
        int pipe_fds[2], pumped, r;
        pid_t pid;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        read_end = pipe_fds[0];
        write_end = pipe_fds[1];
        pid = frame_pump_in(STDIN_FILENO, write_end, kind);
        if (pid < 0)
                return error_set_errno(ret_error, -pid, "Cannot start a process");
        write_end = fd_close(write_end);
        r = job_start(receipt->c, object, path, member, arguments(receipt, read_end), &job,
                      ret_error);
        read_end = fd_close(read_end);
        if (r >= 0) {
                receipt->made = true;
                r = job_wait(job, ret_error);
        }
        pumped = frame_pump_wait(pid);
        if (r >= 0 && pumped < 0)
                return error_set(ret_error, ERROR_FAILED, "The other side has %s",
                                 pumped == -ECANCELED ? "given up" : "gone");
        return r;
}

static GVariant *import_arguments(const Receipt *receipt, int fd) {
        const char *pool = client_option(receipt->c, "storage");
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (pool)
                g_variant_dict_insert(&options, "pool", "s", pool);
        return g_variant_new("(hs@a{sv})", fd, receipt->name, g_variant_dict_end(&options));
}

static GVariant *state_arguments(const Receipt *receipt, int fd) {
        return g_variant_new("(ha{sv})", fd, NULL);
}

static int receive_parts(Receipt *receipt, Error *ret_error) {
        int r = receive(receipt, FRAME_CONTAINER, OBJECT_MANAGER, BERTH_ROOT_PATH,
                        "ImportContainer", import_arguments, ret_error);

        if (r < 0 || receipt->mode == MIGRATE_STOPPED)
                return r;
        return receive(receipt, FRAME_STATE, OBJECT_CONTAINER, receipt->path, "ReceiveState",
                       state_arguments, ret_error);
}

static int agree(Error *ret_error) {
        int r = frame_send(STDOUT_FILENO, FRAME_READY, NULL, 0);

        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot answer");
        return frame_expect(STDIN_FILENO, FRAME_GO, NULL, ret_error);
}

/* A service that went away while it started the container may have come to the end of it since. */
static bool runs(const Receipt *receipt) {
        g_autoptr(Object) o = NULL;
        g_auto(Error) error = ERROR_INIT;

        return client_get_object(receipt->c, OBJECT_CONTAINER, receipt->path, &o, &error) >= 0 &&
               g_strcmp0(object_get_string(o, "State"), "running") == 0;
}

static int start(Receipt *receipt, Error *ret_error) {
        int r = job_run(receipt->c, OBJECT_CONTAINER, receipt->path, "Start",
                        g_variant_new("(a{sv})", NULL), ret_error);

        if (r >= 0 || !runs(receipt))
                return r;
        error_clear(ret_error);
        return 0;
}

static int take_in(Receipt *receipt, Error *ret_error) {
        int r = read_hello(receipt, ret_error);

        if (r >= 0)
                r = client_connect(receipt->c, ret_error);
        if (r >= 0)
                r = connection_ask_at_once(receipt->c->connection, AGENT_ON_ANY_TERMINAL,
                                           ret_error);
        if (r >= 0)
                r = check_free(receipt, ret_error);
        if (r < 0)
                return r;
        r = frame_send_text(STDOUT_FILENO, FRAME_HELLO, MIGRATE_VERSION);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot answer");
        r = receive_parts(receipt, ret_error);
        if (r >= 0)
                r = agree(ret_error);
        receipt->ours = r >= 0;
        return r < 0 || receipt->mode != MIGRATE_RUNNING ? r : start(receipt, ret_error);
}

/* Returns whether there is nothing of it any more. */
static bool take_back(const Receipt *receipt) {
        g_auto(Error) error = ERROR_INIT;

        return !receipt->made ||
               job_run(receipt->c, OBJECT_CONTAINER, receipt->path, "Delete",
                       g_variant_new("(a{sv})", NULL), &error) >= 0 ||
               error.code == ERROR_NO_SUCH_CONTAINER;
}

int run_migrate_receive(Client *c, Error *ret_error) {
        g_auto(Receipt) receipt = { .c = c };
        int r;

        if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
                return client_usage_error(ret_error, "A container does not come from a terminal");
        /* Where the other side has gone, what it has sent of the container goes as well. */
        (void) signal(SIGPIPE, SIG_IGN);
        r = take_in(&receipt, ret_error);
        if (r >= 0) {
                (void) frame_send(STDOUT_FILENO, FRAME_DONE, NULL, 0);
                return 0;
        }
        /* What may run here must not go on there. */
        if (take_back(&receipt) || !receipt.ours)
                (void) frame_send_text(STDOUT_FILENO, FRAME_FAIL, ret_error->message ?: "");
        else
                error_prefix(ret_error, "Container '%s' may run here, and stays", receipt.name);
        return r;
}
