/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-console.h"

#include <errno.h>
#include <fcntl.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/util/tail.h"
#include "service/worker/operations.h"

#define CONSOLE_JOB "container-console"

/* --- logs --- */

char *container_log_path(Manager *m, const char *name, ContainerLog log) {
        g_autofree char *file = g_strconcat(name, ".log", NULL);

        switch (log) {
        case CONTAINER_LOG_LIBLXC:
                return g_build_filename(m->state_dir, "logs", file, NULL);
        case CONTAINER_LOG_CONSOLE:
                return g_build_filename(m->run_dir, "consoles", file, NULL);
        case _CONTAINER_LOG_MAX:
                break;
        }
        g_assert_not_reached();
}

int container_open_log(Manager *m, const Container *c, ContainerLog log, int *ret,
                       Error *ret_error) {
        g_autofree char *path = container_log_path(m, c->object.name, log);
        g_autoptr(GBytes) bytes = NULL;
        int r;

        r = tail_read(path, CONSOLE_LOG_MAX, &bytes);
        if (r >= 0)
                r = fd_new_memfd("log", bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the log of container \"%s\"",
                                       c->object.name);
        *ret = r;
        return 0;
}

void container_remove_logs(Manager *m, const char *name) {
        for (ContainerLog log = 0; log < _CONTAINER_LOG_MAX; log++) {
                g_autofree char *path = container_log_path(m, name, log);
                g_autofree char *directory = g_path_get_dirname(path);
                g_autofree char *file = g_path_get_basename(path);
                g_autofree char *older = g_strconcat(file, ".1", NULL);
                _cleanup_close_ int fd = path_open_dir(directory);

                if (fd < 0)
                        continue;
                (void) path_remove_file(fd, file);
                (void) path_remove_file(fd, older);
        }
}

/* --- attaching: one worker as long as the client has it --- */

typedef struct ConsoleJob {
        GVariant *args; /* a{sv} */
        int monitor_fd;
        bool told;
        ContainerConsole call;
} ConsoleJob;

static void console_job_free(void *p) {
        ConsoleJob *data = p;

        fd_close(data->monitor_fd);
        g_clear_pointer(&data->args, g_variant_unref);
        g_free(data);
}

static void console_tell(Job *job, int *terminal, Error *error) {
        ConsoleJob *data = job->data;

        if (data->told)
                return;
        data->told = true;
        data->call.started(job, terminal, error, data->call.userdata);
}

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        g_auto(Error) error = ERROR_INIT;
        int none = -EBADF;

        if (n_fds != 1)
                (void) error_set(&error, ERROR_FAILED, "The console worker sent no terminal");
        console_tell(job, n_fds == 1 ? &fds[0] : &none, error.message ? &error : NULL);
}

static int console_attach(Job *job, Error *ret_error) {
        ConsoleJob *data = job->data;
        int r;

        r = job_run_worker(job, OPERATION_CONSOLE, data->args, &data->monitor_fd, 1, NULL,
                           ret_error);
        if (r >= 0)
                job->on_worker_event = on_event;
        return r;
}

static int console_undo(Job *job, Error *ret_error) {
        int none = -EBADF;

        console_tell(job, &none, &job->error);
        return JOB_STEP_DONE;
}

static int console_end(Job *job, Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;
        int none = -EBADF;

        (void) error_set(&error, ERROR_FAILED, "The console worker ended without a console");
        console_tell(job, &none, &error);
        return JOB_STEP_DONE;
}

static const JobStep console_steps[] = {
        { "Attached to the console", console_attach, console_undo },
        { NULL, console_end, NULL },
        { NULL },
};

static const Job *find_console_job(Manager *m, const Container *c) {
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const Job *job = value;

                if (job->steps == console_steps && !job_has_ended(job) &&
                    g_str_equal(g_array_index(job->subjects, JobSubject, 0).name, c->object.name))
                        return job;
        }
        return NULL;
}

static int console_check(Manager *m, const Container *c, Error *ret_error) {
        const Job *other = find_console_job(m, c);

        if (!container_is_up(c))
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" is not running (%s)", c->object.name,
                                 container_state_to_string(c->state));
        if (c->monitor_fd < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" has lost its monitor and has no console until "
                                 "it is started again", c->object.name);
        if (other)
                return error_set(ret_error, ERROR_BUSY,
                                 "Somebody is attached to the console of container \"%s\" already "
                                 "(job %s)", c->object.name, other->object.name);
        return 0;
}

int container_console(Manager *m, Caller caller, Container *c, const ContainerConsole *args,
                      Job **ret, Error *ret_error) {
        g_autofree char *log = container_log_path(m, c->object.name, CONTAINER_LOG_CONSOLE);
        g_autoptr(Job) job = NULL;
        ConsoleJob *data;
        GVariantDict dict;
        int r;

        r = console_check(m, c, ret_error);
        if (r < 0)
                return r;
        data = g_new0(ConsoleJob, 1);
        data->call = *args;
        data->monitor_fd = fcntl(c->monitor_fd, F_DUPFD_CLOEXEC, 3);
        if (data->monitor_fd < 0) {
                r = error_set_errno(ret_error, errno, "Cannot duplicate an fd");
                console_job_free(data);
                return r;
        }
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "name", "s", c->object.name);
        g_variant_dict_insert(&dict, "lxc-path", "s", c->facts.lxc_path);
        g_variant_dict_insert(&dict, "console-log", "s", log);
        g_variant_dict_insert(&dict, "width", "u", args->width);
        g_variant_dict_insert(&dict, "height", "u", args->height);
        g_variant_dict_insert(&dict, "history", "b", args->history);
        data->args = g_variant_ref_sink(g_variant_dict_end(&dict));
        r = job_new(m, CONSOLE_JOB, caller.uid, console_steps, data, console_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        manager_lifecycle(m, c, "console", NULL);
        *ret = TAKE_PTR(job);
        return 0;
}
