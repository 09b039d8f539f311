/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/console.h"
#include "client/format.h"
#include "client/job.h"
#include "client/snapshot.h"
#include "client/wait.h"
#include "service/util/cleanup.h"

const Option start_options[] = {
        { "all", 0, NULL, "Every container that does not run", NULL },
        { "console", 0, NULL, "Attach to its console, from its first line on", NULL },
        { "stateless", 0, NULL, "Forget the saved state of its processes", NULL },
        WAIT_OPTION(""),
        { NULL },
};

const Option pause_options[] = {
        { "all", 0, NULL, "Every container that runs", NULL },
        { NULL },
};

const Option stop_options[] = {
        { "all", 0, NULL, "Every container that runs", NULL },
        { "force", 'f', NULL, "Kill it instead of asking it to shut down", NULL },
        { "timeout", 0, "SECONDS", "How long to wait for a clean end; -1 for ever (default)",
          NULL },
        { "console", 0, NULL, "Look at its console while it stops", NULL },
        { "stateful", 0, NULL, "Save the state of its processes, for its next start", NULL },
        { NULL },
};

const Option restart_options[] = {
        { "all", 0, NULL, "Every container that runs", NULL },
        { "force", 'f', NULL, "Kill it instead of asking it to shut down", NULL },
        { "timeout", 0, "SECONDS", "How long to wait for a clean end; -1 for ever (default)",
          NULL },
        { "console", 0, NULL, "Attach to its console, from its first line on", NULL },
        WAIT_OPTION(""),
        { NULL },
};

const Option delete_options[] = {
        { "force", 'f', NULL, "Kill a container that runs", NULL },
        { "interactive", 'i', NULL, "Ask before each one", NULL },
        { NULL },
};

const Option rename_options[] = {
        { "target", 0, "MEMBER", NULL, "berth works on this machine only" },
        { NULL },
};

/* One verb on one container, begun and not yet waited for. */
typedef struct Task {
        ObjectKind kind; /* a container, or a snapshot to delete */
        char *path;
        char *shown; /* the name as a terminal may have it */
        Job *job;
        Error error;
} Task;

static void task_free(gpointer data) {
        Task *t = data;

        g_free(t->path);
        g_free(t->shown);
        job_free(t->job);
        error_clear(&t->error);
        g_free(t);
}

static void tasks_add(GPtrArray *tasks, ObjectKind kind, const char *path, const char *name) {
        Task *t = g_new0(Task, 1);

        t->kind = kind;
        t->path = g_strdup(path);
        t->shown = format_printable(name);
        g_ptr_array_add(tasks, t);
}

static int tasks_from_arguments(Client *c, GPtrArray *tasks, Error *ret_error) {
        if (client_n_arguments(c) == 0)
                return client_usage_error(ret_error, "'%s' needs a container", c->command_path);
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_autofree char *path = NULL, *name = NULL;
                int r;

                r = client_object_path(OBJECT_CONTAINER, client_argument(c, i), &path, ret_error);
                if (r < 0)
                        return r;
                r = client_object_name(client_argument(c, i), &name, ret_error);
                if (r < 0)
                        return r;
                tasks_add(tasks, OBJECT_CONTAINER, path, name);
        }
        return 0;
}

/* `running`: those to stop, else those to start. */
static int tasks_from_all(Client *c, bool running, GPtrArray *tasks, Error *ret_error) {
        static const char *const properties[] = { "State", NULL };
        g_autoptr(GPtrArray) containers = NULL;
        int r;

        if (client_n_arguments(c) > 0)
                return client_usage_error(ret_error, "--all takes no names");
        r = client_get_objects(c, OBJECT_CONTAINER, properties, &containers, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < containers->len; i++) {
                const Object *o = g_ptr_array_index(containers, i);
                const char *state = object_get_string(o, "State");
                bool wanted;

                if (running)
                        wanted = g_str_equal(state, "running") || g_str_equal(state, "frozen");
                else
                        wanted = g_str_equal(state, "stopped") || g_str_equal(state, "frozen");
                if (wanted)
                        tasks_add(tasks, OBJECT_CONTAINER, o->path, o->name);
        }
        return 0;
}

/* Starting a frozen container means to let it go on. */
static int task_thaw(Client *c, Task *t) {
        g_autoptr(Object) o = NULL;
        int r;

        r = client_get_object(c, OBJECT_CONTAINER, t->path, &o, NULL);
        if (r < 0 || !g_str_equal(object_get_string(o, "State"), "frozen"))
                return -EALREADY;
        error_clear(&t->error);
        return job_start(c, OBJECT_CONTAINER, t->path, "Unfreeze", g_variant_new("(a{sv})", NULL),
                         &t->job, &t->error);
}

/* Begins the verb on every container, then waits for all of them. One failure is returned as it
 * is; of several each is printed with its container. */
static int tasks_run(Client *c, GPtrArray *tasks, const char *member, GVariant *options,
                     Error *ret_error) {
        g_autoptr(GVariant) arguments = g_variant_ref_sink(g_variant_new("(@a{sv})", options));
        ErrorCode code = ERROR_FAILED;
        size_t n_failed = 0;
        Task *failed = NULL;

        for (size_t i = 0; i < tasks->len; i++) {
                Task *t = g_ptr_array_index(tasks, i);
                int r;

                r = job_start(c, t->kind, t->path, member,
                              t->kind == OBJECT_SNAPSHOT ? g_variant_new("(a{sv})", NULL)
                                                         : arguments,
                              &t->job, &t->error);
                if (r < 0 && t->error.code == ERROR_ALREADY_RUNNING && g_str_equal(member, "Start"))
                        (void) task_thaw(c, t);
        }
        for (size_t i = 0; i < tasks->len; i++) {
                Task *t = g_ptr_array_index(tasks, i);

                if (t->job)
                        (void) job_wait(t->job, &t->error);
                if (!t->error.message)
                        continue;
                /* Failures of several kinds have no exit status of their own. */
                code = n_failed == 0 || code == t->error.code ? t->error.code : ERROR_FAILED;
                failed = t;
                n_failed++;
                if (tasks->len > 1)
                        fprintf(stderr, "Error: %s: %s\n", t->shown, t->error.message);
        }
        if (n_failed == 0)
                return 0;
        if (tasks->len > 1)
                return error_set(ret_error, code, "%zu of %u containers failed", n_failed,
                                 tasks->len);
        error_move(ret_error, &failed->error);
        return -EIO;
}

static int stop_options_to_variant(Client *c, GVariant **ret, Error *ret_error) {
        const char *timeout = client_option(c, "timeout");
        GVariantDict options;
        uint64_t seconds = 0;

        if (timeout && !g_str_equal(timeout, "-1") &&
            (parse_number(timeout, &seconds) < 0 || seconds > G_MAXUINT32))
                return client_usage_error(ret_error, "The timeout '%s' is no number of seconds",
                                          timeout);
        g_variant_dict_init(&options, NULL);
        if (client_flag(c, "force"))
                g_variant_dict_insert(&options, "force", "b", TRUE);
        if (client_flag(c, "stateful"))
                g_variant_dict_insert(&options, "stateful", "b", TRUE);
        if (seconds > 0)
                g_variant_dict_insert(&options, "timeout", "t", seconds * G_USEC_PER_SEC);
        *ret = g_variant_dict_end(&options);
        return 0;
}

/* --wait: each was started, now until it is as far as that. */
static int tasks_wait(Client *c, const GPtrArray *tasks, Error *ret_error) {
        for (size_t i = 0; i < tasks->len; i++) {
                const Task *t = g_ptr_array_index(tasks, i);
                int r = wait_as_asked(c, t->path, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* The console first, so that nothing is missed; it ends with the container. Detaching leaves the
 * stop alone. */
static int stop_on_console(Client *c, Task *t, GVariant *options, Error *ret_error) {
        g_autoptr(Job) console = NULL;
        int r;

        r = console_open(c, t->path, false, &console, ret_error);
        if (r >= 0)
                r = job_start(c, OBJECT_CONTAINER, t->path, "Stop",
                              g_variant_new("(@a{sv})", options), &t->job, ret_error);
        if (r >= 0)
                r = console_run(console, ret_error);
        return r < 0 ? r : job_wait(t->job, ret_error);
}

static int run_verb(Client *c, const char *member, bool on_running, GVariant *options,
                    Error *ret_error) {
        g_autoptr(GPtrArray) tasks = g_ptr_array_new_with_free_func(task_free);
        g_autoptr(GVariant) own = g_variant_ref_sink(options);
        int r;

        r = wait_check_option(c, ret_error);
        if (r < 0)
                return r;
        if (client_flag(c, "all"))
                r = tasks_from_all(c, on_running, tasks, ret_error);
        else
                r = tasks_from_arguments(c, tasks, ret_error);
        if (r < 0)
                return r;
        if (client_flag(c, "console") && tasks->len != 1)
                return client_usage_error(ret_error, "--console is for one container");
        if (client_flag(c, "console") && g_str_equal(member, "Stop"))
                return stop_on_console(c, g_ptr_array_index(tasks, 0), own, ret_error);
        r = tasks_run(c, tasks, member, own, ret_error);
        if (r >= 0 && client_flag(c, "console"))
                return console_attach(c, ((Task *) g_ptr_array_index(tasks, 0))->path, true,
                                      ret_error);
        return r < 0 ? r : tasks_wait(c, tasks, ret_error);
}

static GVariant *no_options(void) {
        return g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0);
}

int run_start(Client *c, Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (client_flag(c, "stateless"))
                g_variant_dict_insert(&options, "stateless", "b", TRUE);
        return run_verb(c, "Start", false, g_variant_dict_end(&options), ret_error);
}

int run_stop(Client *c, Error *ret_error) {
        GVariant *options;
        int r;

        r = stop_options_to_variant(c, &options, ret_error);
        if (r < 0)
                return r;
        return run_verb(c, "Stop", true, options, ret_error);
}

int run_restart(Client *c, Error *ret_error) {
        GVariant *options;
        int r;

        r = stop_options_to_variant(c, &options, ret_error);
        if (r < 0)
                return r;
        return run_verb(c, "Restart", true, options, ret_error);
}

int run_pause(Client *c, Error *ret_error) {
        return run_verb(c, "Freeze", true, no_options(), ret_error);
}

static bool confirm_delete(const char *shown) {
        char answer[16];

        fprintf(stderr, "Remove %s (yes/no): ", shown);
        fflush(stderr);
        return fgets(answer, sizeof(answer), stdin) && g_str_has_prefix(answer, "yes");
}

int run_delete(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) tasks = g_ptr_array_new_with_free_func(task_free);
        g_autoptr(GVariant) options = NULL;
        GVariantDict dict;
        int r;

        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_autofree char *path = NULL;
                ObjectKind kind;

                r = client_instance_path(client_argument(c, i), &kind, &path, ret_error);
                if (r < 0)
                        return r;
                tasks_add(tasks, kind, path, client_argument(c, i));
        }
        for (size_t i = tasks->len; client_flag(c, "interactive") && i > 0; i--) {
                const Task *t = g_ptr_array_index(tasks, tasks->len - i);

                if (!confirm_delete(t->shown))
                        return error_set(ret_error, ERROR_CANCELLED, "Nothing was deleted");
        }
        g_variant_dict_init(&dict, NULL);
        if (client_flag(c, "force"))
                g_variant_dict_insert(&dict, "force", "b", TRUE);
        options = g_variant_ref_sink(g_variant_dict_end(&dict));
        return tasks_run(c, tasks, "Delete", options, ret_error);
}

int run_rename(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *name = NULL;
        ObjectKind kind;
        int r;

        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r < 0)
                return r;
        if (kind == OBJECT_SNAPSHOT)
                return snapshot_rename(c, path, client_argument(c, 1), ret_error);
        r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r < 0)
                return r;
        return job_run(c, OBJECT_CONTAINER, path, "Rename",
                       g_variant_new("(s@a{sv})", name, no_options()), ret_error);
}
