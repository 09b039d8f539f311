/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/archive-list.h"

#include <string.h>
#include <sys/wait.h>

#include "service/util/cleanup.h"

typedef struct Reader {
        const char *argv[6];  /* so that names come in C's escapes and ids as numbers */
        int size_field;       /* of the long listing */
} Reader;

static const Reader readers[] = {
        { { "tar", "--quoting-style=escape", "--numeric-owner", "-f" }, 2 },
        { { "bsdtar", "--numeric-owner", "-f" }, 4 },
};

/* "-5" for a file of five bytes; the letter of ls alone for everything else. */
static char *kind_text(char kind, const char *size) {
        return kind == '-' ? g_strconcat("-", size, NULL) : g_strdup_printf("%c", kind);
}

static char *escape(const char *name) {
        static const char plain[] = "abtnvfr";
        GString *out = g_string_new(NULL);

        for (const char *c = name; *c; c++) {
                if (*c == '\\')
                        g_string_append(out, "\\\\");
                else if (*c >= '\a' && *c <= '\r')
                        g_string_append_printf(out, "\\%c", plain[*c - '\a']);
                else if (g_ascii_isprint(*c))
                        g_string_append_c(out, *c);
                else
                        g_string_append_printf(out, "\\%03o", (guchar) *c);
        }
        return g_string_free(out, FALSE);
}

/* Name to kind. */
static GHashTable *entries_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* Runs a program in the C locale. What readers mind without listing anything otherwise, such as a
 * mode that is no number, only shows in their status. */
static void run(const char *const *argv, char **ret_output, gsize *ret_size) {
        g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
        int out_fd = -1, status;
        g_autoptr(GIOChannel) channel = NULL;
        GPid pid;

        g_assert_true(g_spawn_async_with_pipes(
                NULL, (char **) argv, env,
                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                NULL, &pid, NULL, &out_fd, NULL, NULL));
        channel = g_io_channel_unix_new(out_fd);
        g_io_channel_set_close_on_unref(channel, TRUE);
        g_assert_cmpint(g_io_channel_set_encoding(channel, NULL, NULL), ==, G_IO_STATUS_NORMAL);
        g_assert_cmpint(g_io_channel_read_to_end(channel, ret_output, ret_size, NULL), ==,
                        G_IO_STATUS_NORMAL);
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
}

/* --- What berth made of it --------------------------------------------------------------- */

static GHashTable *list_volume(const char *volume) {
        const char *const argv[] = {
                "find", volume, "-mindepth", "1", "-printf", "%P\\0%M\\0%s\\0", NULL,
        };
        GHashTable *entries = entries_new();
        g_autofree char *output = NULL;
        gsize size;

        run(argv, &output, &size);
        for (const char *name = output; name < output + size;) {
                const char *mode = name + strlen(name) + 1, *bytes = mode + strlen(mode) + 1;

                g_hash_table_insert(entries, escape(name), kind_text(mode[0], bytes));
                name = bytes + strlen(bytes) + 1;
        }
        return entries;
}

/* --- What others read -------------------------------------------------------------------- */

static char **list_archive(const Reader *reader, const char *option, const char *path) {
        const char *argv[ELEMENTSOF(reader->argv) + 3];
        g_autofree char *output = NULL;
        size_t n = 0;
        gsize size;

        for (; reader->argv[n]; n++)
                argv[n] = reader->argv[n];
        argv[n++] = path;
        argv[n++] = option;
        argv[n] = NULL;
        run(argv, &output, &size);
        return g_strsplit(output, "\n", -1);
}

/* The n-th word of a long listing. */
static char *get_field(const char *line, int n) {
        for (; n > 0; n--) {
                line += strcspn(line, " ");
                line += strspn(line, " ");
        }
        return g_strndup(line, strcspn(line, " "));
}

/* As berth writes it: what is below "rootfs"; NULL for everything else. Lives in `name`. */
static const char *below(char *name) {
        if (g_str_has_suffix(name, "/"))
                name[strlen(name) - 1] = '\0';
        return g_str_has_prefix(name, "rootfs/") ? name + strlen("rootfs/") : NULL;
}

/* A hard link is what it is to. */
static char *find_kind(GHashTable *entries, const Reader *reader, const char *line) {
        g_autofree char *size = get_field(line, reader->size_field), *target = NULL;
        const char *to = g_strrstr(line, " link to ");

        if (line[0] != 'h' || !to)
                return kind_text(line[0], size);
        target = g_strdup(to + strlen(" link to "));
        return g_strdup(g_hash_table_lookup(entries, below(target) ?: "") ?: "?");
}

static GHashTable *read_archive(const Reader *reader, const char *path) {
        g_autoptr(GHashTable) entries = entries_new();
        g_auto(GStrv) names = list_archive(reader, "-t", path);
        g_auto(GStrv) lines = list_archive(reader, "-tv", path);

        g_assert_cmpuint(g_strv_length(names), ==, g_strv_length(lines));
        for (size_t i = 0; names[i]; i++) {
                const char *name = below(names[i]);

                if (name)
                        g_hash_table_insert(entries, g_strdup(name),
                                            find_kind(entries, reader, lines[i]));
        }
        return g_steal_pointer(&entries);
}

/* --- Comparing --------------------------------------------------------------------------- */

/* What `a` has and `b` has not, or has otherwise. */
static char *find_difference(GHashTable *a, GHashTable *b) {
        GHashTableIter iter;
        void *name, *kind;

        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, &name, &kind)) {
                const char *other = g_hash_table_lookup(b, name);

                if (g_strcmp0(other, kind) != 0)
                        return g_strdup_printf("\"%s\" is %s and %s", (char *) name, (char *) kind,
                                               other ?: "not there");
        }
        return NULL;
}

char *archive_list_compare(const char *path, const char *volume) {
        g_autoptr(GHashTable) ours = list_volume(volume);

        for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                const char *program = readers[i].argv[0];
                g_autoptr(GHashTable) theirs = NULL;
                g_autofree char *why = NULL;

                theirs = read_archive(&readers[i], path);
                why = find_difference(theirs, ours) ?: find_difference(ours, theirs);
                if (why)
                        return g_strdup_printf("%s: %s", program, why);
        }
        return NULL;
}
