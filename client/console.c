/* SPDX-License-Identifier: Apache-2.0 */
#include "client/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/relay.h"
#include "client/terminal.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* More than the service keeps. */
#define LOG_MAX (1U << 20)

const Option console_options[] = {
        { "show-log", 0, NULL, "Print what the console has shown since the start", NULL },
        { "type", 't', "TYPE", "console, the only type that containers have", NULL },
        { NULL },
};

int console_open(Client *c, const char *path, bool history, Job **ret, Error *ret_error) {
        unsigned columns, rows;
        GVariantDict options;
        g_autoptr(Job) job = NULL;
        int r;

        terminal_get_size(&columns, &rows);
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, "width", "u", columns);
        g_variant_dict_insert(&options, "height", "u", rows);
        if (history)
                g_variant_dict_insert(&options, "history", "b", TRUE);
        r = job_start(c, OBJECT_CONTAINER, path, "GetConsole",
                      g_variant_new("(@a{sv})", g_variant_dict_end(&options)), &job, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(job_get_reply(job), G_VARIANT_TYPE("(oh)")))
                return error_set(ret_error, ERROR_FAILED, "The service gave no console");
        *ret = TAKE_PTR(job);
        return 0;
}

int console_run(Job *job, Error *ret_error) {
        g_autoptr(Relay) relay = relay_new();
        int master, keys, r;

        g_variant_get(job_get_reply(job), "(oh)", NULL, &master);
        keys = fcntl(master, F_DUPFD_CLOEXEC, 3);
        if (keys < 0) {
                (void) fd_close(master);
                return error_set_errno(ret_error, errno, "Cannot duplicate an fd");
        }
        /* All that there is of the terminal is the relay's: detaching is closing it. */
        relay_add(relay, STDIN_FILENO, false, keys, true);
        relay_set_detach_keys(relay);
        relay_add(relay, master, true, STDOUT_FILENO, false);
        (void) signal(SIGPIPE, SIG_IGN);
        if (isatty(STDIN_FILENO))
                fprintf(stderr, "To detach from the console, press: <ctrl>+a q\n");
        r = terminal_set_raw();
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot set the terminal to raw mode");
        job_set_relay(job, relay);
        job_set_terminal(job, master);
        job_set_signals(job, JOB_SIGNALS_DETACH);
        r = job_wait(job, ret_error);
        relay_drain(relay);
        terminal_restore();
        if (isatty(STDIN_FILENO))
                fprintf(stderr, "\n");
        return r;
}

int console_attach(Client *c, const char *path, bool history, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r = console_open(c, path, history, &job, ret_error);

        return r < 0 ? r : console_run(job, ret_error);
}

int console_print_log(Client *c, const char *path, const char *member, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GBytes) bytes = NULL;
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *text = NULL, *shown = NULL;
        const char *data;
        gsize size;
        int r;

        r = client_call(c, OBJECT_CONTAINER, path, member, g_variant_new("(a{sv})", NULL), "(h)",
                        &reply, ret_error);
        if (r < 0)
                return r;
        g_variant_get(reply, "(h)", &fd);
        r = fd_read_all(fd, LOG_MAX, &bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the log");
        data = g_bytes_get_data(bytes, &size);
        if (!isatty(STDOUT_FILENO)) {
                (void) fwrite(data, 1, size, stdout);
                return 0;
        }
        text = g_strndup(data, size);
        for (char *p = text; *p; p++)
                if (*p == '\r')
                        *p = p[1] == '\n' ? ' ' : '\n';
        shown = format_printable_lines(text);
        fputs(shown, stdout);
        return 0;
}

int run_console(Client *c, Error *ret_error) {
        const char *type = client_option(c, "type") ?: "console";
        g_autofree char *path = NULL;
        int r;

        if (!g_str_equal(type, "console"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Containers have no console of type '%s', only 'console'", type);
        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        if (client_flag(c, "show-log"))
                return console_print_log(c, path, "GetConsoleLog", ret_error);
        return console_attach(c, path, false, ret_error);
}
