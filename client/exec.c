/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"
#include "client/streams.h"
#include "client/terminal.h"
#include "client/variant.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

const Option exec_options[] = {
        { "cwd", 0, "DIRECTORY", "Run it in this directory of the container", NULL },
        { "disable-stdin", 'n', NULL, "Give it no input", NULL },
        { "env", 0, "KEY=VALUE", "Set an environment variable (may be repeated)", NULL },
        { "force-interactive", 't', NULL, "Run it on a terminal of its own", NULL },
        { "force-noninteractive", 'T', NULL, "Run it without a terminal", NULL },
        { "group", 0, "GROUP", "Run it with this group of the container", NULL },
        { "mode", 0, "MODE", "auto, interactive or non-interactive", NULL },
        { "user", 0, "USER", "Run it as this user of the container", NULL },
        { NULL },
};

static int exec_is_interactive(Client *c, bool *ret, Error *ret_error) {
        const char *mode = client_option(c, "mode");
        bool force = client_flag(c, "force-interactive");
        bool never = client_flag(c, "force-noninteractive");

        if (force && never)
                return client_usage_error(ret_error, "-t and -T exclude each other");
        if (mode && (force || never))
                return client_usage_error(ret_error, "--mode and -t or -T exclude each other");
        if (mode && !g_str_equal(mode, "auto")) {
                force = g_str_equal(mode, "interactive");
                never = g_str_equal(mode, "non-interactive");
                if (!force && !never)
                        return client_usage_error(ret_error,
                                                  "The mode '%s' is none of auto, interactive and "
                                                  "non-interactive",
                                                  mode);
        }
        *ret = force || (!never && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
        return 0;
}

static int exec_environment(Client *c, bool interactive, GVariant **ret, Error *ret_error) {
        g_autoptr(GPtrArray) values = client_options(c, "env");
        const char *term = getenv("TERM");
        g_auto(GVariantBuilder) b;
        bool has_term = false;

        g_variant_builder_init(&b, G_VARIANT_TYPE_STRING_ARRAY);
        for (size_t i = 0; i < values->len; i++) {
                const char *value = g_ptr_array_index(values, i);
                const char *equals = strchr(value, '=');

                if (!equals || equals == value)
                        return client_usage_error(ret_error, "--env '%s' is not KEY=VALUE", value);
                has_term = has_term || g_str_has_prefix(value, "TERM=");
                g_variant_builder_add(&b, "s", value);
        }
        if (interactive && !has_term && term && g_utf8_validate(term, -1, NULL)) {
                g_autofree char *value = g_strconcat("TERM=", term, NULL);

                g_variant_builder_add(&b, "s", value);
        }
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

static int exec_options_fill(Client *c, bool interactive, GVariantDict *options,
                             Error *ret_error) {
        static const char *const texts[] = { "cwd", "user", "group" };
        g_autoptr(GVariant) environment = NULL;
        int r;

        r = exec_environment(c, interactive, &environment, ret_error);
        if (r < 0)
                return r;
        if (g_variant_n_children(environment) > 0)
                g_variant_dict_insert_value(options, "environment", environment);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (client_option(c, texts[i]))
                        g_variant_dict_insert(options, texts[i], "s",
                                              client_option(c, texts[i]));
        return 0;
}

static GVariant *exec_arguments(const char *const *argv, GVariantDict *options) {
        return g_variant_new("(@as@a{sv})", g_variant_new_strv(argv, -1),
                             g_variant_dict_end(options));
}

static int exec_wait(Job *job, Relay *relay, Error *ret_error) {
        int r, status;

        r = job_wait(job, ret_error);
        relay_drain(relay);
        if (r < 0)
                return r;
        r = job_get_exit_status(job, &status, ret_error);
        return r < 0 ? r : status;
}

/* The program gets a terminal of the container; ours only passes keys and text on. */
static int exec_on_terminal(Client *c, const char *path, const char *const *argv,
                            GVariantDict *options, Error *ret_error) {
        _cleanup_close_ int master = -EBADF;
        g_autoptr(Relay) relay = relay_new();
        g_auto(Error) e = ERROR_INIT;
        unsigned columns, rows;
        g_autoptr(Job) job = NULL;
        int r, status;

        terminal_get_size(&columns, &rows);
        g_variant_dict_insert(options, "width", "u", columns);
        g_variant_dict_insert(options, "height", "u", rows);
        r = job_start(c, OBJECT_CONTAINER, path, "ExecTerminal", exec_arguments(argv, options),
                      &job, &e);
        if (r < 0 && (e.code == ERROR_NO_SUCH_FILE || e.code == ERROR_WRONG_FILE_TYPE)) {
                /* What a shell says of a program that it cannot execute. */
                fprintf(stderr, "Error: %s\n", e.message);
                return e.code == ERROR_NO_SUCH_FILE ? 127 : 126;
        }
        if (r < 0) {
                error_move(ret_error, &e);
                return r;
        }
        if (!g_variant_is_of_type(job_get_reply(job), G_VARIANT_TYPE("(oh)")))
                return error_set(ret_error, ERROR_FAILED, "The service gave no terminal");
        g_variant_get(job_get_reply(job), "(oh)", NULL, &master);

        r = terminal_set_raw();
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot set the terminal to raw mode");
        if (!client_flag(c, "disable-stdin"))
                relay_add(relay, STDIN_FILENO, false, master, false);
        relay_add(relay, master, false, STDOUT_FILENO, false);
        job_set_relay(job, relay);
        job_set_terminal(job, master);
        job_set_signals(job, JOB_SIGNALS_FORWARD);
        status = exec_wait(job, relay, ret_error);
        terminal_restore();
        job_print_warnings(job);
        return status;
}

/* The program gets our own streams, or pipes that we copy from and to. */
static int exec_on_streams(Client *c, const char *path, const char *const *argv,
                           GVariantDict *options, Error *ret_error) {
        static const char *const names[] = { "stdin", "stdout", "stderr" };
        _cleanup_close_ int in = -EBADF, out = -EBADF, err = -EBADF;
        int *fds[] = { &in, &out, &err };
        g_autoptr(Relay) relay = relay_new();
        g_autoptr(Job) job = NULL;
        int r;

        for (int i = 0; i < (int) ELEMENTSOF(names); i++) {
                if (i == STDIN_FILENO && client_flag(c, "disable-stdin"))
                        continue;
                r = stream_open(i, i == STDIN_FILENO ? STREAM_INPUT : STREAM_OUTPUT, relay, fds[i],
                                ret_error);
                if (r < 0)
                        return r;
                g_variant_dict_insert(options, names[i], "h", *fds[i]);
        }
        r = job_start(c, OBJECT_CONTAINER, path, "Exec", exec_arguments(argv, options), &job,
                      ret_error);
        /* Copies of ours would keep the other ends from ever seeing the end. */
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                *fds[i] = fd_close(*fds[i]);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        job_set_signals(job, JOB_SIGNALS_FORWARD);
        r = exec_wait(job, relay, ret_error);
        job_print_warnings(job);
        return r;
}

static int exec_argv(Client *c, const char *const *argv, Error *ret_error) {
        g_autofree char *path = NULL;
        GVariantDict options;
        bool interactive = false;
        int r;

        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        r = exec_is_interactive(c, &interactive, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        r = exec_options_fill(c, interactive, &options, ret_error);
        if (r < 0) {
                g_variant_dict_clear(&options);
                return r;
        }
        /* A reader that has gone is an error of a write here, not the end of the client. */
        (void) signal(SIGPIPE, SIG_IGN);
        r = interactive ? exec_on_terminal(c, path, argv, &options, ret_error)
                        : exec_on_streams(c, path, argv, &options, ret_error);
        g_variant_dict_clear(&options);
        return r;
}

int run_exec(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();

        for (size_t i = 1; i < client_n_arguments(c); i++)
                g_ptr_array_add(argv, (char *) client_argument(c, i));
        g_ptr_array_add(argv, NULL);
        return exec_argv(c, (const char *const *) argv->pdata, ret_error);
}

int run_shell(Client *c, Error *ret_error) {
        static const char *const argv[] = { "su", "-l", NULL };

        return exec_argv(c, argv, ret_error);
}
