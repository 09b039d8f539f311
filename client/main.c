/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/alias.h"
#include "client/commands.h"
#include "client/format.h"
#include "client/help.h"
#include "service/util/cleanup.h"

static int run_version(Client *c, Error *ret_error) {
        g_autoptr(Object) manager = NULL;
        g_auto(Error) e = ERROR_INIT;
        g_autofree char *version = NULL;

        printf("Client version: %s\n", BERTH_VERSION);
        if (client_get_object(c, OBJECT_MANAGER, BERTH_ROOT_PATH, &manager, &e) < 0) {
                printf("Server version: unreachable\n");
                if (c->verbose)
                        fprintf(stderr, "%s\n", e.message);
                return 0;
        }
        version = format_printable(object_get_string(manager, "Version"));
        printf("Server version: %s\n", version);
        return 0;
}

/* There are no hidden commands. */
static const Option help_options[] = {
        { "all", 0, NULL, NULL, "" },
        { NULL },
};

static int run_help(Client *c, Error *ret_error) {
        g_autofree char *path = g_strdup(c->root->name);
        const Command *command = c->root;

        for (size_t i = 0; i < client_n_arguments(c); i++) {
                const char *word = client_argument(c, i);
                const Command *child = command->children ? command_find(command->children, word)
                                                         : NULL;
                char *longer;

                if (!child)
                        return client_usage_error(ret_error, "'%s' has no command '%s'", path,
                                                  word);
                command = child;
                longer = g_strconcat(path, " ", child->name, NULL);
                g_free(path);
                path = longer;
        }
        help_print(command, path);
        return 0;
}

static const Command commands[] = {
        { "admin", NULL, NULL, "Set up this machine, and look at it", .children = admin_commands },
        { "alias", NULL, NULL, "Manage words of your own for command lines",
          .children = alias_commands },
        { "config", NULL, NULL, "Manage the configuration of containers",
          .children = config_commands },
        { "console", NULL, "<container>", "Attach to the console of a container", console_options,
          "c-", 1, 1, .run = run_console },
        { "copy", "cp", "<container>[/<snapshot>] [<container>]",
          "Copy a container, or make one of a snapshot", copy_options, "h-", 1, 2,
          .run = run_copy },
        { "delete", "rm", "<container>[/<snapshot>]...", "Delete containers and snapshots",
          delete_options, "h", 1, -1, .run = run_delete },
        { "exec", NULL, "<container> [--] <program> [<argument>...]",
          "Run a program in a container", exec_options, "c-", 2, -1, 1, .run = run_exec },
        { "export", NULL, "<container> [<file>]",
          "Write a container and its snapshots to an archive", container_export_options, "c-", 1, 2,
          .run = run_export },
        { "file", NULL, NULL, "Copy files into and out of containers",
          .children = file_commands },
        { "help", NULL, "[<command>...]", "Print help on a command", help_options, "-", 0, -1,
          .run = run_help },
        { "image", NULL, NULL, "Manage images", .children = image_commands },
        { "import", NULL, "<file> [<container>]", "Make a container of an archive",
          container_import_options, "-", 1, 2, .run = run_import },
        { "info", NULL, "[<container>]", "Show a container, or the service", info_options, "c-", 0,
          1, .run = run_info },
        { "init", NULL, "<image> [<container>]", "Create a container from an image",
          create_options, "i-", 1, 2, .run = run_init },
        { "launch", NULL, "<image> [<container>]", "Create and start a container", create_options,
          "i-", 1, 2, .run = run_launch },
        { "list", "ls", "[<filter>...]", "List containers", list_options, "c", 0, -1,
          .run = run_list },
        { "migrate", NULL, NULL, "Move containers to another host, with their processes",
          .children = migrate_commands },
        { "monitor", NULL, "", "Print what happens as it happens", monitor_options, "-", 0, 1,
          .run = run_monitor },
        { "move", "mv", "<container>[/<snapshot>] [<new name>]",
          "Rename a container or snapshot, or put it on another pool", move_options, "h-", 1, 2,
          .run = run_move },
        { "network", NULL, NULL, "Manage networks", .children = network_commands },
        { "operation", NULL, NULL, "Manage jobs of the service",
          .children = operation_commands },
        { "pause", NULL, "<container>...", "Freeze containers", pause_options, "c", 0, -1,
          .run = run_pause },
        { "profile", NULL, NULL, "Manage profiles", .children = profile_commands },
        { "publish", NULL, "<container>[/<snapshot>] [<key>=<value>...]",
          "Make an image of a container or snapshot", publish_options, "h-", 1, -1,
          .run = run_publish },
        { "remote", NULL, NULL, "Manage image servers", .children = remote_commands },
        { "rename", NULL, "<container>[/<snapshot>] <new name>",
          "Rename a container or snapshot", rename_options, "h-", 2, 2, .run = run_rename },
        { "restart", NULL, "<container>...", "Restart containers", restart_options, "c", 0, -1,
          .run = run_restart },
        { "restore", NULL, "<container> <snapshot>", "Bring a container back to a snapshot",
          restore_options, "h-", 1, 2, .run = run_restore },
        { "shell", NULL, "<container>", "Log in to a container as root", exec_options, "c-", 1, 1,
          .run = run_shell },
        { "snapshot", NULL, "<container> [<snapshot>]", "Take a snapshot of a container",
          snapshot_options, "c-", 1, 2, .run = run_snapshot },
        { "start", NULL, "<container>...", "Start containers", start_options, "c", 0, -1,
          .run = run_start },
        { "stop", NULL, "<container>...", "Stop containers", stop_options, "c", 0, -1,
          .run = run_stop },
        { "storage", NULL, NULL, "Manage storage pools", .children = storage_commands },
        { "version", NULL, "", "Print the versions of client and service", NULL, "-", 0, 1,
          .run = run_version },
        { "wait", NULL, "<container> running|ip|ready|stopped", "Wait until a container is so",
          wait_options, "c-", 2, 2, .run = run_wait },
        { .name = "cluster", .refusal = "berth works on this machine only" },
        { .name = "manpage", .refusal = "the manual is installed: man berth" },
        { .name = "project", .refusal = "berth has no projects: every user owns his containers" },
        { .name = "query", .refusal = "the service speaks D-Bus: use berth-call" },
        { "warning", NULL, NULL, "See what is not as it should be",
          .children = warning_commands },
        { NULL },
};

static const Command root = {
        .name = "berth",
        .help = "System containers over D-Bus",
        .children = commands,
};

/* For the scripts of the shells: `berth --complete WORD...` with the words after "berth" up to the
 * cursor, whatever they look like. */
static const Command complete = { .name = "--complete", .max_arguments = -1,
                                  .run = run_complete };

static const char *hint_for(const Client *c, const Error *e) {
        switch ((int) e->code) {
        case ERROR_ACCESS_DENIED:
                return "polkit decides who may do this; see berth-polkit(7) or ask your "
                       "administrator";
        case ERROR_AUTH_REQUIRED:
                if (c->no_ask_password)
                        return "without --no-ask-password you would be asked for a password";
                return "run this on a terminal, with pkttyagent installed, to be asked for a "
                       "password";
        case ERROR_ALREADY_RUNNING:
                if (c->command && g_str_equal(c->command->name, "delete"))
                        return "stop it first, or use --force";
                return NULL;
        case ERROR_NO_SUCH_IMAGE_SERVER:
                return "'berth remote list' shows the image servers, 'berth remote add' adds one";
        case ERROR_NO_SUCH_IMAGE:
                return "'berth image list' shows the images, 'berth image import' adds one";
        case ERROR_CONFLICT:
                return "somebody else changed it at the same time; look at it and try again";
        case ERROR_TIMED_OUT:
                if (c->command && (g_str_equal(c->command->name, "stop") ||
                                   g_str_equal(c->command->name, "restart")))
                        return "use --force to kill it";
                return NULL;
        default:
                return NULL;
        }
}

/* Returns the exit status. */
static int report(const Client *c, const Error *e, bool usage) {
        g_autofree char *line = NULL;
        const char *hint;

        /* What was printed before stands before it, also where both go to one file. */
        (void) fflush(stdout);
        fprintf(stderr, "Error: %s\n", e->message);
        if (usage && c->command->run) {
                line = help_usage(c->command, c->command_path);
                fprintf(stderr, "%s\n", line);
        }
        hint = hint_for(c, e);
        if (hint)
                fprintf(stderr, "Hint: %s\n", hint);
        return error_code_to_exit_status(e->code);
}

/* What was printed counts only when it has arrived. */
static int flush_output(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        if (errno != EPIPE)
                fprintf(stderr, "Error: Cannot write to standard output: %s\n", strerror(errno));
        return status != 0 ? status : EXIT_FAILURE;
}

int main(int argc, char **argv) {
        g_auto(GStrv) line = NULL; /* the client keeps words of it */
        g_autoptr(Client) c = client_new(&root);
        g_auto(Error) e = ERROR_INIT;
        int r;

        (void) setlocale(LC_ALL, "");
        if (argc > 1 && g_str_equal(argv[1], complete.name)) {
                c->command = &complete;
                for (int i = 2; i < argc; i++)
                        g_ptr_array_add(c->arguments, argv[i]);
                /* A shell has no use for errors. */
                (void) run_complete(c, NULL);
                return flush_output(EXIT_SUCCESS);
        }
        r = alias_expand((const char *const *) argv, &line, &e);
        if (r < 0)
                return report(c, &e, false);
        if (r > 0) {
                argc = (int) g_strv_length(line);
                argv = line;
        }
        r = client_parse(c, argc, argv, &e);
        if (r == 0)
                return flush_output(EXIT_SUCCESS);
        if (r < 0)
                return report(c, &e, e.code == ERROR_INVALID_ARGS);
        r = c->command->run(c, &e);
        if (r < 0)
                return flush_output(report(c, &e, false));
        return flush_output(r);
}
