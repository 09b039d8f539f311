/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-container-exec.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/bus/path.h"
#include "service/util/cleanup.h"

#define EXEC_OPTIONS \
        { "environment", "as" }, { "cwd", "s" }, { "user", "s" }, { "group", "s" }

const Option bus_exec_options[] = {
        EXEC_OPTIONS,
        { "stdin", "h" },
        { "stdout", "h" },
        { "stderr", "h" },
        { NULL },
};

const Option bus_exec_pipes_options[] = {
        EXEC_OPTIONS,
        { NULL },
};

const Option bus_exec_terminal_options[] = {
        EXEC_OPTIONS,
        { "width", "u" },
        { "height", "u" },
        { NULL },
};

/* What all three have in common. The arrays live until exec_args_clear(). */
typedef struct ExecArgs {
        ContainerExec exec;
        const char **argv, **environment;
} ExecArgs;

static void exec_args_clear(ExecArgs *args) {
        g_free(args->argv);
        g_free(args->environment);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExecArgs, exec_args_clear)

static ExecArgs exec_args_read(BusCall *call) {
        ExecArgs args = { 0 };

        g_variant_get(call->args, "(^a&sa{sv})", &args.argv, NULL);
        args.environment = option_get_strv(call->options, "environment");
        args.exec = (ContainerExec) {
                .argv = args.argv,
                .environment = args.environment,
                .cwd = option_get_string(call->options, "cwd", ""),
                .user = option_get_string(call->options, "user", ""),
                .group = option_get_string(call->options, "group", ""),
                .width = option_get_uint32(call->options, "width", 80),
                .height = option_get_uint32(call->options, "height", 24),
                .stdio = { -EBADF, -EBADF, -EBADF },
        };
        return args;
}

int bus_exec_prepare(BusCall *call, Error *ret_error) {
        g_autofree const char **argv = NULL;

        g_variant_get(call->args, "(^a&sa{sv})", &argv, NULL);
        bus_call_detail(call, "command", argv[0] ?: "");
        return 0;
}

static int stdio_option(BusCall *call, const char *name, int *ret, Error *ret_error) {
        gint32 handle;

        if (!g_variant_lookup(call->options, name, "h", &handle))
                return 0;
        *ret = bus_call_get_fd(call, handle);
        if (*ret < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "Option \"%s\" holds no fd", name);
        return 0;
}

int bus_exec(BusCall *call, Error *ret_error) {
        g_auto(ExecArgs) args = exec_args_read(call);
        Job *job;
        int r;

        r = stdio_option(call, "stdin", &args.exec.stdio[0], ret_error);
        if (r >= 0)
                r = stdio_option(call, "stdout", &args.exec.stdio[1], ret_error);
        if (r >= 0)
                r = stdio_option(call, "stderr", &args.exec.stdio[2], ret_error);
        if (r >= 0)
                r = container_exec(call->manager, bus_call_caller(call),
                                   (Container *) call->object, &args.exec, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

/* Pipes to the program's stdin, stdout and stderr; `near` are the caller's ends. */
static int make_pipes(int near[3], int far[3], Error *ret_error) {
        for (int i = 0; i < 3; i++) {
                int pair[2];

                if (pipe2(pair, O_CLOEXEC) < 0)
                        return error_set_errno(ret_error, errno, "Cannot make a pipe");
                near[i] = pair[i == 0];
                far[i] = pair[i != 0];
        }
        return 0;
}

int bus_exec_pipes(BusCall *call, Error *ret_error) {
        g_auto(ExecArgs) args = exec_args_read(call);
        int near[3] = { -EBADF, -EBADF, -EBADF };
        g_autofree char *path = NULL;
        gint32 handles[3] = { 0 };
        Job *job;
        int r;

        r = make_pipes(near, args.exec.stdio, ret_error);
        if (r >= 0)
                r = container_exec(call->manager, bus_call_caller(call),
                                   (Container *) call->object, &args.exec, &job, ret_error);
        for (int i = 0; i < 3; i++) {
                fd_close(args.exec.stdio[i]); /* the job has its own */
                if (r < 0)
                        fd_close(near[i]);
        }
        if (r < 0)
                return r;
        for (int i = 0; i < 3; i++)
                handles[i] = bus_call_add_fd(call, near[i]);
        path = bus_path_of(OBJECT_JOB, job->object.name);
        job_start(job);
        call->reply = g_variant_new("(ohhh)", path, handles[0], handles[1], handles[2]);
        return 0;
}

/* The terminal comes from inside the container, so the reply has to wait for the program to be
 * started. */
static void terminal_started(Job *job, int *terminal, Error *error, void *userdata) {
        BusCall *call = userdata;
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        if (error || *terminal < 0) {
                g_auto(Error) none = ERROR_INIT;

                (void) error_set(&none, ERROR_FAILED, "The program ended before it had a terminal");
                bus_call_fail(call, error ?: &none);
                return;
        }
        bus_call_reply(call, g_variant_new("(oh)", path,
                                           bus_call_add_fd(call, TAKE_FD(*terminal))));
}

int bus_exec_terminal(BusCall *call, Error *ret_error) {
        g_auto(ExecArgs) args = exec_args_read(call);
        Job *job;
        int r;

        args.exec.terminal = true;
        args.exec.started = terminal_started;
        args.exec.userdata = call;
        r = container_exec(call->manager, bus_call_caller(call), (Container *) call->object,
                           &args.exec, &job, ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}
