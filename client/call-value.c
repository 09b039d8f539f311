/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call-value.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/format.h"
#include "client/json.h"
#include "client/streams.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

typedef struct OptionType {
        const char *key;
        const char *type;
} OptionType;

/* The options that introspection/ documents; a test compares the two. */
static const OptionType option_types[] = {
        { "aliases", "as" },       { "architecture", "s" }, { "auto-update", "b" },
        { "cached", "b" },         { "compression", "s" },  { "config", "a{ss}" },
        { "copy-aliases", "b" },   { "create", "b" },
        { "templates", "a{s(sasa{ss}b)}" },   { "name", "s" },         { "protocol", "s" },
        { "url", "s" },
        { "create", "b" },         { "cwd", "s" },
        { "description", "s" },    { "devices", "a{sa{ss}}" }, { "dry-run", "b" },
        { "environment", "as" },
        { "ephemeral", "b" },      { "expanded", "b" },     { "expires", "t" },
        { "filename", "s" },       { "follow", "b" },       { "gid", "u" },
        { "make-directories", "b" }, { "mode", "u" },       { "parents", "b" },
        { "recursive", "b" },      { "special-modes", "b" }, { "uid", "u" },
        { "force", "b" },          { "group", "s" },        { "height", "u" },
        { "history", "b" },
        { "if-revision", "t" },    { "move", "b" },         { "pool", "s" },
        { "part", "s" },
        { "profiles", "as" },      { "properties", "a{ss}" }, { "public", "b" },
        { "refresh", "b" },        { "snapshot", "s" },     { "without-snapshots", "b" },
        { "rootfs", "h" },         { "rootfs-filename", "s" },
        { "reuse", "b" },          { "secrets", "b" },      { "start", "b" },
        { "stateful", "b" },       { "stateless", "b" },    { "stderr", "h" },
        { "stdin", "h" },          { "stdout", "h" },       { "timeout", "t" },
        { "user", "s" },           { "width", "u" },
};

const char *call_option_type(const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(option_types); i++)
                if (g_str_equal(option_types[i].key, key))
                        return option_types[i].type;
        return NULL;
}

void call_files_init(CallFiles *files) {
        *files = (CallFiles) {
                .fds = g_array_new(FALSE, FALSE, sizeof(int)),
                .relay = relay_new(),
        };
}

void call_files_close_sent(CallFiles *files) {
        for (size_t i = 0; i < files->fds->len; i++)
                (void) fd_close(g_array_index(files->fds, int, i));
        g_array_set_size(files->fds, 0);
}

void call_files_done(CallFiles *files) {
        if (!files->fds)
                return;
        call_files_close_sent(files);
        g_clear_pointer(&files->fds, g_array_unref);
        files->relay = relay_free(files->relay);
}

static int value_error(const char *name, const char *word, const char *type, Error *ret_error) {
        g_autofree char *shown = format_printable(word);

        return error_set(ret_error, ERROR_INVALID_ARGS, "'%s' is no value of type '%s' for %s",
                         shown, type, name);
}

/* Splits at commas that no backslash precedes. */
static GPtrArray *split_list(const char *word) {
        GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GString) part = g_string_new(NULL);

        if (!*word)
                return parts;
        for (const char *p = word;; p++) {
                if (*p == '\\' && (p[1] == ',' || p[1] == '\\')) {
                        g_string_append_c(part, *++p);
                        continue;
                }
                if (*p && *p != ',') {
                        g_string_append_c(part, *p);
                        continue;
                }
                g_ptr_array_add(parts, g_strdup(part->str));
                g_string_truncate(part, 0);
                if (!*p)
                        return parts;
        }
}

static int parse_list(const char *word, GVariant **ret) {
        g_autoptr(GPtrArray) parts = split_list(word);

        *ret = g_variant_new_strv((const char *const *) parts->pdata, parts->len);
        return 0;
}

static int parse_dictionary(const char *name, const char *word, GVariant **ret,
                            Error *ret_error) {
        g_autoptr(GPtrArray) parts = split_list(word);
        g_auto(GVariantBuilder) b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        for (size_t i = 0; i < parts->len; i++) {
                g_autofree char *key = NULL, *value = NULL;

                if (parse_assignment(g_ptr_array_index(parts, i), &key, &value) < 0)
                        return value_error(name, g_ptr_array_index(parts, i), "a{ss}", ret_error);
                g_variant_builder_add(&b, "{ss}", key, value);
        }
        *ret = g_variant_builder_end(&b);
        return 0;
}

static bool file_is_output(const char *name) {
        return g_str_equal(name, "stdout") || g_str_equal(name, "stderr") ||
               g_str_equal(name, "output");
}

static int own_stream(const char *name) {
        if (g_str_equal(name, "stderr"))
                return STDERR_FILENO;
        return file_is_output(name) ? STDOUT_FILENO : STDIN_FILENO;
}

/* Image archives are files or pipes; streams of a program are pipes. */
static bool file_passes_as_is(int fd, bool stream) {
        struct stat st;

        return !stream && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

static int parse_file(const char *name, const char *word, CallFiles *files, GVariant **ret,
                      Error *ret_error) {
        StreamDirection direction = file_is_output(name) ? STREAM_OUTPUT : STREAM_INPUT;
        g_autofree char *shown = format_printable(word);
        int fd, sent, r;

        if (g_str_equal(word, "-"))
                fd = fcntl(own_stream(name), F_DUPFD_CLOEXEC, 3);
        else if (direction == STREAM_OUTPUT)
                fd = open(word, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
        else
                fd = open(word, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s' for %s", shown, name);
        if (file_passes_as_is(fd, files->streams)) {
                g_array_append_val(files->fds, fd);
                *ret = g_variant_new_handle(fd);
                return 0;
        }
        r = files->streams ? stream_open(fd, direction, files->relay, &sent, ret_error)
                           : stream_open_pipe(fd, direction, files->relay, &sent, ret_error);
        if (r < 0) {
                (void) fd_close(fd);
                return r;
        }
        g_array_append_val(files->fds, sent);
        *ret = g_variant_new_handle(sent);
        /* The relay reads from it or writes to it until we exit. */
        return 0;
}

/* Everything whose text is not GVariant's own. */
static int parse_plain(const char *type, const char *name, const char *word, CallFiles *files,
                       GVariant **ret, Error *ret_error) {
        bool b;

        if (!g_utf8_validate(word, -1, NULL) && !g_str_equal(type, "h"))
                return value_error(name, word, type, ret_error);
        if (g_str_equal(type, "s"))
                *ret = g_variant_new_string(word);
        else if (g_str_equal(type, "o") && g_variant_is_object_path(word))
                *ret = g_variant_new_object_path(word);
        else if (g_str_equal(type, "b") && parse_boolean(word, &b) >= 0)
                *ret = g_variant_new_boolean(b);
        else if (g_str_equal(type, "as"))
                return parse_list(word, ret);
        else if (g_str_equal(type, "a{ss}"))
                return parse_dictionary(name, word, ret, ret_error);
        else if (g_str_equal(type, "h"))
                return parse_file(name, word, files, ret, ret_error);
        else if (strchr("ob", type[0]))
                return value_error(name, word, type, ret_error);
        else
                *ret = NULL;
        return 0;
}

int call_value_parse(const char *type, const char *name, const char *word, CallFiles *files,
                     GVariant **ret, Error *ret_error) {
        GVariant *value = NULL;
        int r;

        r = parse_plain(type, name, word, files, &value, ret_error);
        if (r < 0)
                return r;
        if (!value)
                value = g_variant_parse(G_VARIANT_TYPE(type), word, NULL, NULL, NULL);
        if (!value)
                return value_error(name, word, type, ret_error);
        *ret = g_variant_ref_sink(value);
        return 0;
}

static const char *guess_type(const char *key, const char *word) {
        const char *known = call_option_type(key);
        uint64_t number;

        if (known)
                return known;
        if (g_str_equal(word, "true") || g_str_equal(word, "false"))
                return "b";
        return parse_number(word, &number) >= 0 ? "t" : "s";
}

int call_option_parse(const char *word, CallFiles *files, char **ret_key, GVariant **ret_value,
                      Error *ret_error) {
        g_autofree char *key = NULL, *value = NULL, *shown = format_printable(word);
        const char *type;
        char *colon;
        int r;

        if (parse_assignment(word, &key, &value) < 0 || !g_utf8_validate(key, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' is one argument too many, or no KEY=VALUE", shown);
        colon = strchr(key, ':');
        type = colon ? colon + 1 : guess_type(key, value);
        if (!g_variant_type_string_is_valid(type) ||
            !g_variant_type_is_definite(G_VARIANT_TYPE(type)))
                return error_set(ret_error, ERROR_INVALID_ARGS, "'%s' has no valid type", shown);
        if (colon)
                *colon = 0;
        r = call_value_parse(type, key, value, files, ret_value, ret_error);
        if (r < 0)
                return r;
        *ret_key = TAKE_PTR(key);
        return 0;
}

static char *value_to_line(GVariant *value) {
        g_autofree char *text = NULL;

        if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
                g_autoptr(GVariant) inner = g_variant_get_variant(value);

                return value_to_line(inner);
        }
        if (g_variant_is_container(value))
                return json_from_variant(value, false);
        text = variant_to_text(value);
        return isatty(STDOUT_FILENO) ? format_printable(text) : g_steal_pointer(&text);
}

static void print_dictionary(GVariant *value) {
        g_autoptr(GPtrArray) entries = variant_entries(value);

        for (size_t i = 0; i < entries->len; i++) {
                g_autoptr(GVariant) key = NULL, content = NULL;
                g_autofree char *left = NULL, *right = NULL;

                key = g_variant_get_child_value(g_ptr_array_index(entries, i), 0);
                content = g_variant_get_child_value(g_ptr_array_index(entries, i), 1);
                left = value_to_line(key);
                right = value_to_line(content);
                printf("%s=%s\n", left, right);
        }
}

void call_value_print(GVariant *value) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
                g_autoptr(GVariant) inner = g_variant_get_variant(value);

                call_value_print(inner);
        } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY))
                print_dictionary(value);
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_ARRAY)) {
                for (size_t i = 0; i < g_variant_n_children(value); i++) {
                        g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
                        g_autofree char *line = value_to_line(child);

                        puts(line);
                }
        } else {
                g_autofree char *line = value_to_line(value);

                puts(line);
        }
}
