/* SPDX-License-Identifier: Apache-2.0 */
#include "client/help.h"

#include <stdio.h>
#include <string.h>

#include "service/util/cleanup.h"

/* A word that differs by more letters than this was meant as something else. */
#define NEAREST_DISTANCE_MAX 3

bool command_is_named(const Command *command, const char *word) {
        g_auto(GStrv) aliases = NULL;

        if (g_str_equal(command->name, word))
                return true;
        if (!command->aliases)
                return false;
        aliases = g_strsplit(command->aliases, " ", -1);
        return g_strv_contains((const char *const *) aliases, word);
}

const Command *command_find(const Command *commands, const char *word) {
        for (const Command *c = commands; c->name; c++)
                if (command_is_named(c, word))
                        return c;
        return NULL;
}

/* Letters to add, leave out, change, or swap with the next to make `a` of `b`; short words. */
static size_t word_distance(const char *a, const char *b) {
        size_t n = strlen(b);
        g_autofree size_t *rows = g_new(size_t, 3 * (n + 1));
        size_t *earlier = rows, *above = rows + n + 1, *row = rows + 2 * (n + 1);

        for (size_t j = 0; j <= n; j++)
                above[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t *next = earlier;

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        row[j] = MIN(above[j - 1] + (a[i - 1] != b[j - 1]),
                                     MIN(above[j], row[j - 1]) + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = MIN(row[j], earlier[j - 2] + 1);
                }
                earlier = above;
                above = row;
                row = next;
        }
        return above[n];
}

const char *help_nearest(const Command *commands, const char *word) {
        size_t best = NEAREST_DISTANCE_MAX;
        const char *nearest = NULL;

        if (strlen(word) > 64)
                return NULL;
        for (const Command *c = commands; c->name; c++) {
                size_t distance = word_distance(word, c->name);

                /* A third of the letters must be right, or every short word is near. */
                if (c->help && distance < best && distance * 3 <= 2 * strlen(c->name)) {
                        best = distance;
                        nearest = c->name;
                }
        }
        return nearest;
}

char *help_usage(const Command *command, const char *path) {
        const char *arguments = command->usage ?: "";

        if (command->children)
                arguments = "<command>";
        return g_strdup_printf("Usage: %s %s%s[options]", path, arguments, *arguments ? " " : "");
}

static void print_options(const char *title, const Option *options) {
        bool any = false;

        for (const Option *o = options; o && o->name; o++) {
                g_autofree char *left = NULL;

                if (!o->help)
                        continue;
                if (!any)
                        printf("\n%s:\n", title);
                any = true;
                left = g_strdup_printf("%s%s%s--%s%s%s", o->letter ? "-" : "  ",
                                       o->letter ? (char[]) { o->letter, 0 } : "",
                                       o->letter ? ", " : "  ", o->name, o->argument ? "=" : "",
                                       o->argument ?: "");
                printf("  %-30s %s\n", left, o->help);
        }
}

void help_print(const Command *command, const char *path) {
        g_autofree char *usage = help_usage(command, path);

        printf("%s\n\n%s\n", usage, command->help ?: "");
        if (command->aliases)
                printf("\nAliases: %s\n", command->aliases);
        if (command->children) {
                printf("\nCommands:\n");
                for (const Command *c = command->children; c->name; c++)
                        if (c->help)
                                printf("  %-14s %s\n", c->name, c->help);
        }
        print_options("Options", command->options);
        print_options("Global options", client_global_options);
        if (command->children)
                printf("\nMore on a command: %s <command> --help\n", path);
}
