/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "service/model/config.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* A program that runs in a container: one worker as long as it runs. The container is not locked,
 * many can run at a time, and it ends with the container. */
typedef struct ExecJob {
        char *container;
        GVariant *args; /* a{sv} */
        int fds[4];     /* pidfd of init, stdin, stdout, stderr */
        bool terminal;
        bool started;
        ContainerExec call; /* only its callback and userdata */
} ExecJob;

static void exec_job_free(void *p) {
        ExecJob *data = p;

        for (size_t i = 0; i < ELEMENTSOF(data->fds); i++)
                fd_close(data->fds[i]);
        g_clear_pointer(&data->args, g_variant_unref);
        if (data->call.free_userdata)
                data->call.free_userdata(data->call.userdata);
        g_free(data->container);
        g_free(data);
}

static void exec_started(Job *job, int *terminal, Error *error) {
        ExecJob *data = job->data;

        if (data->started)
                return;
        data->started = true;
        if (data->call.started)
                data->call.started(job, terminal, error, data->call.userdata);
}

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        ExecJob *data = job->data;
        g_auto(Error) error = ERROR_INIT;
        int none = -EBADF;

        if (data->terminal && n_fds != 1)
                (void) error_set(&error, ERROR_FAILED, "The runtime worker sent no terminal");
        exec_started(job, n_fds == 1 ? &fds[0] : &none, error.message ? &error : NULL);
}

static int exec_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        const char *reason;
        gint32 status;

        if (!g_variant_lookup(result, "exit-status", "i", &status) || status < 0 || status > 255)
                return error_set(ret_error, ERROR_FAILED,
                                 "The runtime worker's result is incomplete");
        job->exit_status = status;
        /* Why it is 126 or 127. */
        if (g_variant_lookup(result, "exec-error", "&s", &reason))
                job_warn(job, reason);
        return 0;
}

static int exec_run(Job *job, Error *ret_error) {
        ExecJob *data = job->data;
        int r;

        r = job_run_worker(job, OPERATION_EXEC, data->args, data->fds, data->terminal ? 1 : 4,
                           exec_done, ret_error);
        if (r < 0)
                return r;
        job->on_worker_event = on_event;
        /* The program has its own copies; ours would keep pipes from ending. */
        for (size_t i = 0; i < ELEMENTSOF(data->fds); i++)
                data->fds[i] = fd_close(data->fds[i]);
        return r;
}

/* Runs when the program did not come to its end: whoever waits for the start must hear of it. */
static int exec_undo(Job *job, Error *ret_error) {
        int none = -EBADF;

        exec_started(job, &none, &job->error);
        return JOB_STEP_DONE;
}

static int exec_told(Job *job, Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;
        int none = -EBADF;

        /* For one that was not executed, or ended before it could say so. */
        if (job->warnings->len > 0)
                (void) error_set(&error,
                                 job->exit_status == 127 ? ERROR_NO_SUCH_FILE
                                                         : ERROR_WRONG_FILE_TYPE, "%s",
                                 (const char *) g_ptr_array_index(job->warnings, 0));
        exec_started(job, &none, error.message ? &error : NULL);
        return JOB_STEP_DONE;
}

static const JobStep exec_steps[] = {
        { "Running", exec_run, exec_undo },
        { NULL, exec_told, NULL },
        { NULL },
};

/* environment.* of the container, then what the call gives. */
static GVariant *exec_environment(Manager *m, const Container *c, const char *const *given) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "environment."))
                        g_variant_builder_add_value(
                                &builder, g_variant_new_take_string(g_strdup_printf(
                                                  "%s=%s", key + strlen("environment."), value)));
        for (const char *const *e = given; e && *e; e++)
                g_variant_builder_add(&builder, "s", *e);
        return g_variant_builder_end(&builder);
}

/* What init may call, programs may. */
static GVariant *exec_syscalls(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "security.syscalls.") || g_str_equal(key, "raw.seccomp"))
                        g_variant_builder_add(&builder, "{ss}", key, value);
        return g_variant_builder_end(&builder);
}

GVariant *container_exec_args(Manager *m, const Container *c, const ContainerExec *call) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "init-pid", "i", (gint32) c->facts.init_pid);
        g_variant_dict_insert_value(&args, "idmap", idmap_to_variant(c->facts.idmap));
        g_variant_dict_insert(&args, "argv", "^as", call->argv);
        g_variant_dict_insert_value(&args, "environment",
                                    exec_environment(m, c, call->environment));
        g_variant_dict_insert_value(&args, "syscalls", exec_syscalls(m, c));
        g_variant_dict_insert(&args, "cwd", "s", call->cwd);
        g_variant_dict_insert(&args, "user", "s", call->user);
        g_variant_dict_insert(&args, "group", "s", call->group);
        g_variant_dict_insert(&args, "terminal", "b", call->terminal);
        g_variant_dict_insert(&args, "width", "u", call->width);
        g_variant_dict_insert(&args, "height", "u", call->height);
        return g_variant_ref_sink(g_variant_dict_end(&args));
}

static int exec_dup_fds(ExecJob *data, const Container *c, const int stdio[3], Error *ret_error) {
        data->fds[0] = fcntl(c->init_fd, F_DUPFD_CLOEXEC, 3);
        for (size_t i = 0; i < 3; i++)
                data->fds[i + 1] = stdio[i] >= 0 ? fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)
                                                 : open("/dev/null", O_RDWR | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTSOF(data->fds); i++)
                if (data->fds[i] < 0)
                        return error_set_errno(ret_error, errno, "Cannot duplicate an fd");
        return 0;
}

static int exec_check(const Container *c, const ContainerExec *args, Error *ret_error) {
        if (!container_is_up(c))
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" is not running (%s)", c->object.name,
                                 container_state_to_string(c->state));
        if (c->state == CONTAINER_FROZEN)
                return error_set(
                        ret_error, ERROR_NOT_RUNNING,
                        "Container \"%s\" is frozen; nothing runs in it until it is thawed",
                        c->object.name);
        if (!args->argv || !args->argv[0] || !*args->argv[0])
                return error_set(ret_error, ERROR_INVALID_ARGS, "No program is given");
        if (*args->cwd && *args->cwd != '/')
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The working directory \"%s\" is not an absolute path", args->cwd);
        for (const char *const *e = args->environment; e && *e; e++)
                if (**e == '=' || !strchr(*e, '='))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "An environment entry is not of the form NAME=VALUE");
        return 0;
}

int container_exec(Manager *m, Caller caller, Container *c, const ContainerExec *args, Job **ret,
                   Error *ret_error) {
        g_autoptr(Job) job = NULL;
        ExecJob *data = g_new0(ExecJob, 1);
        int r;

        for (size_t i = 0; i < ELEMENTSOF(data->fds); i++)
                data->fds[i] = -EBADF;
        data->container = g_strdup(c->object.name);
        data->call = *args;
        data->terminal = args->terminal;
        r = exec_check(c, args, ret_error);
        if (r >= 0)
                r = exec_dup_fds(data, c, args->stdio, ret_error);
        if (r < 0) {
                exec_job_free(data);
                return r;
        }
        data->args = container_exec_args(m, c, args);
        r = job_new(m, "container-exec", caller.uid, exec_steps, data, exec_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        manager_lifecycle(m, c, "exec", NULL);
        *ret = TAKE_PTR(job);
        return 0;
}

static int exec_send(Job *job, const char *kind, GVariant *content, Error *ret_error) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(content);
        int r;

        if (!g_str_equal(job->operation, "container-exec") &&
            (!g_str_equal(job->operation, "container-console") || !g_str_equal(kind, "resize")))
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "Job %s (%s) runs no program",
                                 job->object.name, job->operation);
        if (!job->worker)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The program of job %s has ended",
                                 job->object.name);
        r = worker_process_send(job->worker, kind, owned);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot reach the program of job %s",
                                       job->object.name);
        return 0;
}

int container_exec_signal(Job *job, int signal, Error *ret_error) {
        GVariantDict content;

        if (signal < 1 || signal > SIGRTMAX)
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no signal %d", signal);
        g_variant_dict_init(&content, NULL);
        g_variant_dict_insert(&content, "signal", "i", (gint32) signal);
        return exec_send(job, "signal", g_variant_dict_end(&content), ret_error);
}

int container_exec_resize(Job *job, uint32_t width, uint32_t height, Error *ret_error) {
        GVariantDict content;

        if (width > UINT16_MAX || height > UINT16_MAX)
                return error_set(ret_error, ERROR_INVALID_ARGS, "No terminal is %ux%u characters",
                                 width, height);
        g_variant_dict_init(&content, NULL);
        g_variant_dict_insert(&content, "width", "u", width);
        g_variant_dict_insert(&content, "height", "u", height);
        return exec_send(job, "resize", g_variant_dict_end(&content), ret_error);
}
