/* SPDX-License-Identifier: Apache-2.0 */
#include "client/alias.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

#define ARGUMENTS_WORD "@ARGS@"

/* --- the file --- */

static char *config_path(void) {
        const char *directory = g_getenv("BERTH_CONF");

        if (directory && *directory)
                return g_build_filename(directory, "config.yml", NULL);
        return g_build_filename(g_get_user_config_dir(), "berth", "config.yml", NULL);
}

/* *ret_all: the whole file (a{sv}, what is not ours too); *ret: name -> what it stands for. */
static int aliases_read(GVariant **ret_all, GHashTable **ret, Error *ret_error) {
        g_autoptr(GHashTable) aliases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                              g_free);
        g_autoptr(GVariant) all = NULL, entries = NULL;
        g_autofree char *path = config_path(), *text = NULL;
        g_autoptr(GError) error = NULL;
        const char *name, *target;
        GVariantIter iter;
        int r = 0;

        if (!g_file_get_contents(path, &text, NULL, &error) &&
            !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                return error_set(ret_error, ERROR_FAILED, "Cannot read %s: %s", path,
                                 error->message);
        r = yaml_to_variant(text ?: "", &all, ret_error);
        if (r >= 0)
                r = yaml_get_config(all, "aliases", &entries, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "%s", path);
                return r;
        }
        if (entries) {
                g_variant_iter_init(&iter, entries);
                while (g_variant_iter_next(&iter, "{&s&s}", &name, &target))
                        g_hash_table_replace(aliases, g_strdup(name), g_strdup(target));
        }
        if (ret_all)
                *ret_all = g_steal_pointer(&all);
        *ret = g_steal_pointer(&aliases);
        return 0;
}

static GPtrArray *alias_names(GHashTable *aliases) {
        GPtrArray *names = g_ptr_array_new();
        GHashTableIter iter;
        gpointer name;

        g_hash_table_iter_init(&iter, aliases);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                g_ptr_array_add(names, name);
        format_sort(names);
        return names;
}

static int aliases_write(GVariant *all, GHashTable *aliases, Error *ret_error) {
        g_autofree char *path = config_path(), *directory = g_path_get_dirname(path);
        g_autoptr(GPtrArray) names = alias_names(aliases);
        g_autoptr(GVariant) value = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        GVariantBuilder b;
        GVariantDict dict;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        for (guint i = 0; i < names->len; i++)
                g_variant_builder_add(&b, "{ss}", names->pdata[i],
                                      g_hash_table_lookup(aliases, names->pdata[i]));
        g_variant_dict_init(&dict, g_variant_is_of_type(all, G_VARIANT_TYPE_VARDICT) ? all : NULL);
        g_variant_dict_insert_value(&dict, "aliases", g_variant_builder_end(&b));
        value = g_variant_ref_sink(g_variant_dict_end(&dict));
        text = yaml_from_variant(value);
        if (g_mkdir_with_parents(directory, 0700) < 0)
                return error_set_errno(ret_error, errno, "Cannot make %s", directory);
        if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
                return error_set(ret_error, ERROR_FAILED, "Cannot write %s: %s", path,
                                 error->message);
        return 0;
}

/* --- expanding --- */

/* How many words of the line, after the program's own, the name takes; 0 where it does not fit. */
static guint name_matches(const char *name, const char *const *words) {
        g_auto(GStrv) parts = g_strsplit(name, " ", -1);
        guint n = 0;

        for (; parts[n]; n++)
                if (!words[n] || !g_str_equal(parts[n], words[n]))
                        return 0;
        return n;
}

static int alias_apply(const char *name, const char *target, const char *program,
                       const char *const *rest, GStrv *ret, Error *ret_error) {
        g_autoptr(GStrvBuilder) line = g_strv_builder_new();
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) words = NULL;
        bool placed = false;

        if (!g_shell_parse_argv(target, NULL, &words, &error))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The alias '%s' is malformed: %s",
                                 name, error->message);
        if (words[0][0] != '/')
                g_strv_builder_add(line, program);
        for (char **word = words; *word; word++)
                if (g_str_equal(*word, ARGUMENTS_WORD)) {
                        g_strv_builder_addv(line, (const char **) rest);
                        placed = true;
                } else
                        g_strv_builder_add(line, *word);
        if (!placed)
                g_strv_builder_addv(line, (const char **) rest);
        *ret = g_strv_builder_end(line);
        if (words[0][0] != '/')
                return 1;
        (void) execv((*ret)[0], *ret);
        return error_set_errno(ret_error, errno, "Cannot execute %s", words[0]);
}

int alias_expand(const char *const *argv, GStrv *ret, Error *ret_error) {
        g_autoptr(GHashTable) aliases = NULL;
        g_autofree char *path = config_path();
        const char *best = NULL;
        GHashTableIter iter;
        gpointer name;
        guint longest = 0;
        int r;

        /* What repairs a file that cannot be read must not need it. */
        if (!argv[0] || !argv[1] || *argv[1] == '-' || g_str_equal(argv[1], "alias"))
                return 0;
        /* There are none without a home, or for a service from which homes are hidden. */
        if (access(path, R_OK) < 0)
                return 0;
        r = aliases_read(NULL, &aliases, ret_error);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, aliases);
        while (g_hash_table_iter_next(&iter, &name, NULL)) {
                guint n = name_matches(name, argv + 1);

                if (n > longest) {
                        longest = n;
                        best = name;
                }
        }
        if (!best)
                return 0;
        return alias_apply(best, g_hash_table_lookup(aliases, best), argv[0], argv + 1 + longest,
                           ret, ret_error);
}

/* --- the verbs --- */

static int alias_add(Client *c, Error *ret_error) {
        const char *name = client_argument(c, 0), *target = client_argument(c, 1);
        g_autoptr(GHashTable) aliases = NULL;
        g_autoptr(GVariant) all = NULL;
        g_auto(GStrv) words = NULL;
        g_autoptr(GError) error = NULL;
        int r;

        if (*name == '\0' || *name == '-' || g_str_has_prefix(name, "alias"))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "'%s' cannot be the name of an alias", name);
        if (!g_shell_parse_argv(target, NULL, &words, &error))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' is not a line of words: %s", target, error->message);
        r = aliases_read(&all, &aliases, ret_error);
        if (r < 0)
                return r;
        if (g_hash_table_contains(aliases, name))
                return error_set(ret_error, ERROR_EXISTS, "There is an alias '%s' already", name);
        g_hash_table_replace(aliases, g_strdup(name), g_strdup(target));
        r = aliases_write(all, aliases, ret_error);
        if (r >= 0)
                client_say(c, "Alias %s added", name);
        return r;
}

static int no_alias(const char *name, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_NAME, "There is no alias '%s'", name);
}

static int alias_remove(Client *c, Error *ret_error) {
        g_autoptr(GHashTable) aliases = NULL;
        g_autoptr(GVariant) all = NULL;
        int r;

        r = aliases_read(&all, &aliases, ret_error);
        if (r < 0)
                return r;
        if (!g_hash_table_remove(aliases, client_argument(c, 0)))
                return no_alias(client_argument(c, 0), ret_error);
        r = aliases_write(all, aliases, ret_error);
        if (r >= 0)
                client_say(c, "Alias %s removed", client_argument(c, 0));
        return r;
}

static int alias_rename(Client *c, Error *ret_error) {
        const char *old = client_argument(c, 0), *name = client_argument(c, 1);
        g_autoptr(GHashTable) aliases = NULL;
        g_autoptr(GVariant) all = NULL;
        char *target;
        int r;

        r = aliases_read(&all, &aliases, ret_error);
        if (r < 0)
                return r;
        if (!g_hash_table_contains(aliases, old))
                return no_alias(old, ret_error);
        if (g_hash_table_contains(aliases, name))
                return error_set(ret_error, ERROR_EXISTS, "There is an alias '%s' already", name);
        target = g_strdup(g_hash_table_lookup(aliases, old));
        g_hash_table_remove(aliases, old);
        g_hash_table_replace(aliases, g_strdup(name), target);
        r = aliases_write(all, aliases, ret_error);
        if (r >= 0)
                client_say(c, "Alias %s renamed to %s", old, name);
        return r;
}

static int alias_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "ALIAS", "TARGET", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GHashTable) aliases = NULL;
        g_autoptr(GPtrArray) names = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = aliases_read(NULL, &aliases, ret_error);
        if (r < 0)
                return r;
        names = alias_names(aliases);
        for (guint i = 0; i < names->len; i++) {
                const char *target = g_hash_table_lookup(aliases, names->pdata[i]);
                GVariantDict dict;

                g_variant_dict_init(&dict, NULL);
                g_variant_dict_insert(&dict, "alias", "s", names->pdata[i]);
                g_variant_dict_insert(&dict, "target", "s", target);
                table_add_row(table, g_variant_dict_end(&dict));
                table_add_cell(table, names->pdata[i]);
                table_add_cell(table, target);
        }
        return table_print(table, format, ret_error);
}

const Command alias_commands[] = {
        { "add", NULL, "<alias> <target>", "Add a word of one's own for a command line", NULL, "-",
          2, 2, .run = alias_add },
        { "list", "ls", "", "List aliases", client_list_options, "-", 0, 0, .run = alias_list },
        { "remove", "rm", "<alias>", "Remove an alias", NULL, "-", 1, 1, .run = alias_remove },
        { "rename", "mv", "<alias> <new name>", "Rename an alias", NULL, "-", 2, 2,
          .run = alias_rename },
        { NULL },
};
