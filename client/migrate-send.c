/* SPDX-License-Identifier: Apache-2.0 */
#include "client/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* One that is saved has been killed: its end is near. */
#define STOP_USEC_MAX (UINT64_C(60) * G_USEC_PER_SEC)

typedef struct Shipment {
        Client *c;
        MigrateMode mode;
        char *name, *path;
        int in, out;    /* the stream */
        bool owned;     /* it is a program's, and one socket */
        pid_t program;
        bool saved;     /* it was stopped for this */
        bool told;      /* the other side knows that it is over */
        gint64 stopped; /* when that was begun, µs */
} Shipment;

static void shipment_done(Shipment *s) {
        if (s->owned)
                fd_close(s->in);
        if (s->program > 0)
                (void) waitpid(s->program, NULL, 0);
        g_free(s->name);
        g_free(s->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shipment, shipment_done)

/* --- the stream --- */

G_GNUC_NORETURN static void execute(GPtrArray *arguments, int fd) {
        (void) signal(SIGPIPE, SIG_DFL);
        if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
                (void) execvp(arguments->pdata[1], (char *const *) arguments->pdata + 1);
        (void) dprintf(STDERR_FILENO, "Cannot execute '%s': %s\n",
                       (const char *) arguments->pdata[1], strerror(errno));
        _exit(127);
}

static int open_program(Shipment *s, Error *ret_error) {
        g_autoptr(GPtrArray) arguments = g_ptr_array_new();
        int pair[2];

        for (size_t i = 0; i < client_n_arguments(s->c); i++)
                g_ptr_array_add(arguments, (char *) client_argument(s->c, i));
        g_ptr_array_add(arguments, NULL);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket");
        s->program = fork();
        if (s->program == 0)
                execute(arguments, pair[1]);
        (void) fd_close(pair[1]);
        s->in = s->out = pair[0];
        s->owned = true;
        return s->program < 0 ? error_set_errno(ret_error, errno, "Cannot start a process") : 0;
}

static int open_stream(Shipment *s, Error *ret_error) {
        if (client_n_arguments(s->c) > 1)
                return open_program(s, ret_error);
        if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
                return client_usage_error(ret_error, "Which program leads to the other host? "
                                                     "'ssh HOST berth migrate receive' is one");
        s->in = STDIN_FILENO;
        s->out = STDOUT_FILENO;
        return 0;
}

static void on_signal(int signal) {
}

static void handle_signals(void (*handler)(int signal)) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        const struct sigaction action = { .sa_handler = handler };

        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaction(signals[i], &action, NULL);
}

/* --- the parts --- */

static int look_at(Shipment *s, Error *ret_error) {
        g_autoptr(Object) o = NULL;
        const char *state;
        int r;

        r = client_object_name(client_argument(s->c, 0), &s->name, ret_error);
        if (r >= 0)
                r = client_object_path(OBJECT_CONTAINER, s->name, &s->path, ret_error);
        if (r >= 0)
                r = client_get_object(s->c, OBJECT_CONTAINER, s->path, &o, ret_error);
        if (r < 0)
                return r;
        state = object_get_string(o, "State");
        s->mode = g_str_equal(state, "running") || g_str_equal(state, "frozen") ? MIGRATE_RUNNING
                  : object_get_boolean(o, "Stateful") ? MIGRATE_SAVED : MIGRATE_STOPPED;
        return 0;
}

static int say_hello(Shipment *s, Error *ret_error) {
        g_autofree char *text = g_strdup_printf(MIGRATE_VERSION " %s %s",
                                                migrate_mode_to_string(s->mode), s->name);
        int r = frame_send_text(s->out, FRAME_HELLO, text);

        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot speak to the other side");
        r = frame_expect(s->in, FRAME_HELLO, NULL, ret_error);
        s->told = r < 0;
        return r;
}

static int run_on_container(Shipment *s, const char *member, const char *option,
                            Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (option)
                g_variant_dict_insert(&options, option, "b", TRUE);
        return job_run(s->c, OBJECT_CONTAINER, s->path, member,
                       g_variant_new("(@a{sv})", g_variant_dict_end(&options)), ret_error);
}

/* Whatever there is to be asked, or to be against it, comes up while it still runs: as long as it
 * does the service has nothing to send, and says that last. */
static int ask_leave(Shipment *s, Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        g_auto(Error) error = ERROR_INIT;
        int pipe_fds[2];

        if (s->mode != MIGRATE_RUNNING)
                return 0;
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        read_end = pipe_fds[0];
        write_end = pipe_fds[1];
        if (client_call(s->c, OBJECT_CONTAINER, s->path, "SendState",
                        g_variant_new("(ha{sv})", write_end, NULL), "(o)", NULL, &error) >= 0 ||
            error.code == ERROR_BUSY)
                return 0;
        return error_set(ret_error, error.code, "%s", error.message);
}

static GVariant *export_options(Shipment *s) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "compression", "s", "none");
        if (client_flag(s->c, "instance-only"))
                g_variant_dict_insert(&options, "without-snapshots", "b", TRUE);
        return g_variant_dict_end(&options);
}

/* Where the other side has given up, it has said why. */
static int send_part(Shipment *s, FrameKind kind, const char *member, GVariant *options,
                     Error *ret_error) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(options);
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        g_auto(Error) theirs = ERROR_INIT;
        g_autoptr(Job) job = NULL;
        int pipe_fds[2], pumped, r;
        pid_t pid;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        read_end = pipe_fds[0];
        write_end = pipe_fds[1];
        pid = frame_pump_out(read_end, s->out, kind);
        if (pid < 0)
                return error_set_errno(ret_error, -pid, "Cannot start a process");
        read_end = fd_close(read_end);
        r = job_start(s->c, OBJECT_CONTAINER, s->path, member,
                      g_variant_new("(h@a{sv})", write_end, owned), &job, ret_error);
        write_end = fd_close(write_end);
        if (r >= 0)
                r = job_wait(job, ret_error);
        pumped = frame_pump_wait(pid);
        if (pumped >= 0)
                return r;
        s->told = true;
        (void) frame_expect(s->in, FRAME_READY, NULL, &theirs);
        error_clear(ret_error);
        return error_set(ret_error, ERROR_FAILED, "%s", theirs.message ?: "The stream has broken");
}

/* A service that went away while it stopped the container comes to the end of that later. */
static bool is_saved(Shipment *s) {
        g_autoptr(Object) o = NULL;
        g_auto(Error) error = ERROR_INIT;
        GVariantDict options;

        if (client_get_object(s->c, OBJECT_CONTAINER, s->path, &o, &error) < 0 ||
            !object_get_boolean(o, "Stateful"))
                return false;
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "timeout", "t", STOP_USEC_MAX);
        return job_run(s->c, OBJECT_CONTAINER, s->path, "WaitFor",
                       g_variant_new("(s@a{sv})", "stopped", g_variant_dict_end(&options)),
                       &error) >= 0;
}

static int send_parts(Shipment *s, Error *ret_error) {
        int r = 0;

        s->stopped = g_get_monotonic_time();
        if (s->mode == MIGRATE_RUNNING) {
                r = run_on_container(s, "Stop", "stateful", ret_error);
                s->saved = r >= 0 || is_saved(s);
        }
        if (r >= 0)
                r = send_part(s, FRAME_CONTAINER, "Export", export_options(s), ret_error);
        if (r < 0 || s->mode == MIGRATE_STOPPED)
                return r;
        return send_part(s, FRAME_STATE, "SendState", g_variant_new("a{sv}", NULL), ret_error);
}

/* --- its end --- */

/* Nothing runs anywhere: it goes on here. */
static int give_up(Shipment *s, int r, Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;

        if (!s->told)
                (void) frame_send_text(s->out, FRAME_FAIL, ret_error->message ?: "");
        if (!s->saved)
                return r;
        if (run_on_container(s, "Start", NULL, &error) >= 0) {
                error_prefix(ret_error, "Container '%s' goes on here", s->name);
                return r;
        }
        error_prefix(ret_error, "Container '%s' is stopped with its state here, since it does not "
                     "start again (%s)", s->name, error.message);
        return r;
}

static void say_how_long(const Shipment *s) {
        gint64 usec = g_get_monotonic_time() - s->stopped;

        if (s->mode == MIGRATE_RUNNING)
                (void) fprintf(stderr, "Container '%s' stood still for no longer than %.2f s\n",
                               s->name, (double) usec / G_USEC_PER_SEC);
}

/* After this word only one side may start it, and that is not ours, until the other one says that
 * it cannot. Where it says nothing any more, nobody here knows. */
static int hand_over(Shipment *s, Error *ret_error) {
        int r;

        handle_signals(SIG_IGN);
        r = frame_send(s->out, FRAME_GO, NULL, 0);
        if (r < 0)
                return give_up(s, error_set_errno(ret_error, -r, "Cannot speak to the other side"),
                               ret_error);
        r = frame_expect(s->in, FRAME_DONE, NULL, ret_error);
        if (r == -error_code_to_errno(ERROR_BACKEND_FAILED)) /* it has said so */
                return give_up(s, r, ret_error);
        if (r >= 0)
                return 0;
        error_prefix(ret_error, "It is not known whether container '%s' runs at the other side; if "
                     "it does not, 'berth start %s' goes on here", s->name, s->name);
        return r;
}

/* It is at the other side now. A service that went away has deleted what it had begun to. */
static int delete_here(Shipment *s, Error *ret_error) {
        g_autoptr(Object) o = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (run_on_container(s, "Delete", NULL, &error) >= 0)
                return 0;
        error_clear(&error);
        if (client_get_object(s->c, OBJECT_CONTAINER, s->path, &o, &error) < 0 &&
            error.code == ERROR_NO_SUCH_CONTAINER)
                return 0;
        r = run_on_container(s, "Delete", NULL, ret_error);
        if (r < 0)
                error_prefix(ret_error, "Container '%s' is at the other side now, and cannot be "
                             "deleted here", s->name);
        return r;
}

static int ship(Shipment *s, Error *ret_error) {
        int r = send_parts(s, ret_error);

        if (r >= 0)
                r = frame_expect(s->in, FRAME_READY, NULL, ret_error);
        if (r < 0)
                return give_up(s, r, ret_error);
        r = hand_over(s, ret_error);
        if (r < 0)
                return r;
        say_how_long(s);
        return delete_here(s, ret_error);
}

int run_migrate_send(Client *c, Error *ret_error) {
        g_auto(Shipment) s = { .c = c };
        int r = look_at(&s, ret_error);

        if (r >= 0)
                r = ask_leave(&s, ret_error);
        if (r >= 0)
                r = open_stream(&s, ret_error);
        if (r < 0)
                return r;
        (void) signal(SIGPIPE, SIG_IGN);
        handle_signals(on_signal);
        r = say_hello(&s, ret_error);
        return r < 0 ? r : ship(&s, ret_error);
}
