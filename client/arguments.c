/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/format.h"
#include "client/help.h"
#include "service/util/cleanup.h"

/* getopt_long() returns this plus the number of the option. */
#define OPTION_BASE 0x1000
#define OPTIONS_MAX 48

const Option client_global_options[] = {
        { "debug", 0, NULL, "Print each D-Bus call and its time", NULL },
        { "help", 'h', NULL, "Print help", NULL },
        { "no-ask-password", 0, NULL, "Never ask for a password", NULL },
        { "quiet", 'q', NULL, "Print neither progress nor what was done", NULL },
        { "verbose", 'v', NULL, "Print more about what is done", NULL },
        { "version", 0, NULL, "Print the version of the client", NULL },
        { "force-local", 0, NULL, NULL, "" },
        { "sub-commands", 0, NULL, NULL, "" },
        { "project", 0, "NAME", NULL, "berth has no projects: every user owns his containers" },
        { NULL },
};

const Option client_list_options[] = {
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { NULL },
};

const Option client_show_options[] = {
        { "format", 'f', "FORMAT", "yaml (default) or json", NULL },
        { NULL },
};

/* The options of one command in the form of getopt_long(). */
typedef struct Parser {
        const Option *options[OPTIONS_MAX];
        struct option longs[OPTIONS_MAX + 1];
        char shorts[3 * OPTIONS_MAX + 3];
        size_t n;
} Parser;

static void parser_add(Parser *p, const Option *options) {
        for (const Option *o = options; o && o->name; o++) {
                bool shadowed = false;

                /* A command's own option goes before a global one of the same letter or name. */
                for (size_t i = 0; i < p->n && !shadowed; i++)
                        shadowed = g_str_equal(p->options[i]->name, o->name);
                if (shadowed)
                        continue;
                g_assert(p->n < OPTIONS_MAX);
                p->options[p->n] = o;
                p->longs[p->n] = (struct option) {
                        .name = o->name,
                        .has_arg = o->argument ? required_argument : no_argument,
                        .val = OPTION_BASE + (int) p->n,
                };
                if (o->letter && !strchr(p->shorts, o->letter)) {
                        size_t length = strlen(p->shorts);

                        p->shorts[length] = o->letter;
                        if (o->argument)
                                p->shorts[length + 1] = ':';
                }
                p->n++;
        }
}

static void parser_init(Parser *p, const Option *own) {
        *p = (Parser) { 0 };
        /* "-": arguments come in their order; ":": errors are ours to tell. */
        p->shorts[0] = '-';
        p->shorts[1] = ':';
        parser_add(p, own);
        parser_add(p, client_global_options);
}

static const Option *parser_find(const Parser *p, int value) {
        if (value >= OPTION_BASE)
                return p->options[value - OPTION_BASE];
        for (size_t i = 0; i < p->n; i++)
                if (p->options[i]->letter == value)
                        return p->options[i];
        return NULL;
}

/* Returns 1 to go on, 0 when the answer was printed. */
static int client_take_option(Client *c, const Option *o, const char *value, Error *ret_error) {
        OptionValue v = { o, value };

        g_assert(o); /* getopt_long() knows no others */
        if (value && !g_utf8_validate(value, -1, NULL))
                return client_usage_error(ret_error, "The value of --%s is not valid UTF-8",
                                          o->name);
        if (!o->help && *o->refusal)
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "--%s is not supported: %s",
                                 o->name, o->refusal);
        g_array_append_val(c->options, v);
        if (g_str_equal(o->name, "debug"))
                c->debug = true;
        else if (g_str_equal(o->name, "quiet"))
                c->quiet = true;
        else if (g_str_equal(o->name, "verbose"))
                c->verbose = true;
        else if (g_str_equal(o->name, "no-ask-password"))
                c->no_ask_password = true;
        else if (g_str_equal(o->name, "help")) {
                help_print(c->command, c->command_path);
                return 0;
        } else if (g_str_equal(o->name, "version")) {
                puts(BERTH_VERSION);
                return 0;
        }
        return 1;
}

static int client_unknown_command(Client *c, const char *word, Error *ret_error) {
        g_autofree char *shown = format_printable(word);
        const char *nearest = help_nearest(c->command->children, word);

        if (nearest)
                return client_usage_error(ret_error, "'%s' has no command '%s'; did you mean '%s'?",
                                          c->command_path, shown, nearest);
        return client_usage_error(ret_error, "'%s' has no command '%s'", c->command_path, shown);
}

/* Descends when the word names a subcommand. Returns 1 if it did, 0 if it is an argument. */
static int client_take_word(Client *c, char *word, Error *ret_error) {
        const Command *child;
        char *path;

        if (!c->command->children) {
                g_ptr_array_add(c->arguments, word);
                return 0;
        }
        child = command_find(c->command->children, word);
        if (!child)
                return client_unknown_command(c, word, ret_error);
        c->command = child;
        path = g_strconcat(c->command_path, " ", child->name, NULL);
        g_free(c->command_path);
        c->command_path = path;
        if (child->refusal)
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "'%s' is not supported: %s", path,
                                 child->refusal);
        return 1;
}

static int client_option_error(int value, char **argv, Error *ret_error) {
        if (value == ':' && optopt < OPTION_BASE)
                return client_usage_error(ret_error, "Option -%c needs a value", optopt);
        if (value == ':')
                return client_usage_error(ret_error, "Option %s needs a value", argv[optind - 1]);
        if (optopt > 0 && optopt < OPTION_BASE)
                return client_usage_error(ret_error, "Unknown option -%c", optopt);
        return client_usage_error(ret_error, "Unknown option %s", argv[optind - 1]);
}

static bool client_in_tail(const Client *c) {
        return c->command->tail_after > 0 &&
               c->arguments->len >= (size_t) c->command->tail_after;
}

/* Reads words and options up to the end. Each subcommand brings its own options, so the parser is
 * set up anew for it. Returns 1 to go on, 0 when the answer was printed. */
static int client_read_words(Client *c, int argc, char **argv, Error *ret_error) {
        Parser parser;

        parser_init(&parser, c->command->options);
        optind = 0;
        for (;;) {
                int value, r;

                value = getopt_long(argc, argv, parser.shorts, parser.longs, NULL);
                if (value == -1) {
                        /* What follows "--". */
                        for (; optind < argc; optind++)
                                g_ptr_array_add(c->arguments, argv[optind]);
                        return 1;
                }
                if (value == 1 && client_in_tail(c)) {
                        for (optind--; optind < argc; optind++)
                                g_ptr_array_add(c->arguments, argv[optind]);
                        return 1;
                }
                if (value == 1) {
                        r = client_take_word(c, optarg, ret_error);
                        if (r < 0)
                                return r;
                        if (r > 0)
                                parser_init(&parser, c->command->options);
                        continue;
                }
                if (value == '?' || value == ':')
                        return client_option_error(value, argv, ret_error);
                r = client_take_option(c, parser_find(&parser, value), optarg, ret_error);
                if (r <= 0)
                        return r;
        }
}

static int client_check_arguments(const Client *c, Error *ret_error) {
        const Command *command = c->command;
        size_t n_letters = command->complete ? strlen(command->complete) : 0;

        if ((int) c->arguments->len < command->min_arguments)
                return client_usage_error(ret_error, "'%s' needs more arguments", c->command_path);
        if (command->max_arguments >= 0 && (int) c->arguments->len > command->max_arguments)
                return client_usage_error(ret_error, "'%s' takes fewer arguments",
                                          c->command_path);
        for (size_t i = 0; i < c->arguments->len; i++) {
                bool file = n_letters > 0 && command->complete[MIN(i, n_letters - 1)] == 'f';

                /* D-Bus carries UTF-8 only; the name of a file stays here. */
                if (!file && !g_utf8_validate(client_argument(c, i), -1, NULL))
                        return client_usage_error(ret_error, "Argument %zu is not valid UTF-8",
                                                  i + 1);
        }
        return 1;
}

int client_parse(Client *c, int argc, char **argv, Error *ret_error) {
        int r;

        c->command = c->root;
        c->command_path = g_strdup(c->root->name);
        r = client_read_words(c, argc, argv, ret_error);
        if (r <= 0)
                return r;
        if (!c->command->run) {
                help_print(c->command, c->command_path);
                if (c->command == c->root)
                        return 0;
                return client_usage_error(ret_error, "'%s' needs a command", c->command_path);
        }
        return client_check_arguments(c, ret_error);
}
