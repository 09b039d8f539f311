/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/template.h"

#include <stdbool.h>
#include <string.h>

#include "service/util/cleanup.h"

#define DEPTH_MAX 32

typedef enum ValueKind {
        VALUE_NONE,
        VALUE_TEXT,
        VALUE_TRUTH,
        VALUE_TABLE,
} ValueKind;

typedef struct Value {
        ValueKind kind;
        char *text;
        bool truth;
} Value;

static void value_clear(Value *value) {
        g_clear_pointer(&value->text, g_free);
        value->kind = VALUE_NONE;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Value, value_clear)

/* An "if" that is open. */
typedef struct Branch {
        bool outer;  /* text around it is wanted */
        bool taken;  /* one of its branches was */
        bool active; /* the present one is */
        bool last;   /* "else" was there */
        unsigned line;
} Branch;

typedef struct Engine {
        const char *name;
        GVariant *context;
        GString *out;
        unsigned line;
        Branch branches[DEPTH_MAX];
        unsigned n_branches;
        unsigned depth;   /* of the expression */
        const char *at;   /* in the tag that is read */
        Error *error;
} Engine;

static int engine_fail(Engine *engine, const char *format, ...) G_GNUC_PRINTF(2, 3);
static int engine_fail(Engine *engine, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        return error_set(engine->error, ERROR_INVALID_IMAGE, "Template %s, line %u: %s",
                         engine->name, engine->line, text);
}

static bool value_is_true(const Value *value) {
        switch (value->kind) {
        case VALUE_NONE:
                return false;
        case VALUE_TEXT:
                return *value->text != '\0';
        case VALUE_TRUTH:
                return value->truth;
        case VALUE_TABLE:
                return true;
        }
        g_assert_not_reached();
}

static const char *value_text(const Value *value) {
        if (value->kind == VALUE_TRUTH)
                return value->truth ? "True" : "False";
        return value->kind == VALUE_TEXT ? value->text : "";
}

static void value_set_text(Value *value, char *text) {
        value_clear(value);
        value->kind = VALUE_TEXT;
        value->text = text;
}

static void value_set_truth(Value *value, bool truth) {
        value_clear(value);
        value->kind = VALUE_TRUTH;
        value->truth = truth;
}

/* --- words of an expression --- */

static void skip_blanks(Engine *engine) {
        while (g_ascii_isspace(*engine->at))
                engine->at++;
}

static bool is_word_character(char c) {
        return g_ascii_isalnum(c) || c == '_';
}

/* Takes the operator or word if it comes next. */
static bool take(Engine *engine, const char *word) {
        size_t n = strlen(word);

        skip_blanks(engine);
        if (strncmp(engine->at, word, n) != 0 ||
            (is_word_character(word[0]) && is_word_character(engine->at[n])))
                return false;
        engine->at += n;
        return true;
}

/* A name, with dots and dashes in it if `path`; NULL where there is none. */
static char *take_name(Engine *engine, bool path) {
        const char *start;

        skip_blanks(engine);
        start = engine->at;
        if (!g_ascii_isalpha(*start) && *start != '_')
                return NULL;
        while (is_word_character(*engine->at) ||
               (path && (*engine->at == '.' || *engine->at == '-')))
                engine->at++;
        return g_strndup(start, (gsize) (engine->at - start));
}

static int take_text(Engine *engine, char **ret) {
        g_autoptr(GString) text = g_string_new(NULL);
        char quote = *engine->at++;

        while (*engine->at != quote) {
                if (*engine->at == '\\' && engine->at[1])
                        engine->at++;
                if (*engine->at == '\0')
                        return engine_fail(engine, "a text does not end");
                g_string_append_c(text, *engine->at++);
        }
        engine->at++;
        *ret = g_string_free(TAKE_PTR(text), FALSE);
        return 0;
}

/* --- what names stand for --- */

static void table_get(GVariant *table, const char *key, Value *ret) {
        char *text = NULL;

        if (g_variant_lookup(table, key, "s", &text))
                value_set_text(ret, text);
}

static void look_up(Engine *engine, const char *path, Value *ret) {
        g_auto(GStrv) parts = g_strsplit(path, ".", 2);
        g_autoptr(GVariant) value = g_variant_lookup_value(engine->context, parts[0], NULL);
        g_autoptr(GVariant) inner = NULL;
        g_auto(GStrv) below = NULL;

        if (!value)
                return;
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) && !parts[1])
                value_set_text(ret, g_variant_dup_string(value, NULL));
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN) && !parts[1])
                value_set_truth(ret, g_variant_get_boolean(value));
        else if (!parts[1])
                ret->kind = VALUE_TABLE;
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE("a{ss}")))
                table_get(value, parts[1], ret);
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE("a{sa{ss}}"))) {
                below = g_strsplit(parts[1], ".", 2);
                /* of "devices." there is no first part */
                inner = g_variant_lookup_value(value, below[0] ?: "", G_VARIANT_TYPE("a{ss}"));
                if (inner && below[1])
                        table_get(inner, below[1], ret);
                else if (inner)
                        ret->kind = VALUE_TABLE;
        }
}

static int read_expression(Engine *engine, Value *ret);

/* config_get("key", "default") */
static int read_call(Engine *engine, const char *name, Value *ret) {
        g_autoptr(GVariant) config = NULL;
        g_auto(Value) key = { 0 }, fallback = { 0 };
        int r;

        if (!g_str_equal(name, "config_get"))
                return engine_fail(engine, "there is no function \"%s\"", name);
        r = read_expression(engine, &key);
        if (r >= 0 && take(engine, ","))
                r = read_expression(engine, &fallback);
        if (r < 0)
                return r;
        if (!take(engine, ")"))
                return engine_fail(engine, "config_get() takes a key and a default");
        config = g_variant_lookup_value(engine->context, "config", G_VARIANT_TYPE("a{ss}"));
        if (config)
                table_get(config, value_text(&key), ret);
        if (ret->kind == VALUE_NONE)
                value_set_text(ret, g_strdup(value_text(&fallback)));
        return 0;
}

/* --- expressions --- */

static int read_primary(Engine *engine, Value *ret) {
        g_autofree char *name = NULL;
        const char *start;
        char *text = NULL;
        int r;

        skip_blanks(engine);
        start = engine->at;
        if (*start == '"' || *start == '\'') {
                r = take_text(engine, &text);
                if (r >= 0)
                        value_set_text(ret, text);
                return r;
        }
        if (take(engine, "(")) {
                r = read_expression(engine, ret);
                if (r >= 0 && !take(engine, ")"))
                        return engine_fail(engine, "a bracket is not closed");
                return r;
        }
        if (g_ascii_isdigit(*start) || (*start == '-' && g_ascii_isdigit(start[1]))) {
                for (engine->at++; g_ascii_isdigit(*engine->at) || *engine->at == '.';)
                        engine->at++;
                value_set_text(ret, g_strndup(start, (gsize) (engine->at - start)));
                return 0;
        }
        name = take_name(engine, true);
        if (!name)
                return engine_fail(engine, "a value is missing before \"%.20s\"", engine->at);
        if (g_ascii_strcasecmp(name, "true") == 0 || g_ascii_strcasecmp(name, "false") == 0) {
                value_set_truth(ret, g_ascii_strcasecmp(name, "true") == 0);
                return 0;
        }
        if (take(engine, "("))
                return read_call(engine, name, ret);
        look_up(engine, name, ret);
        return 0;
}

static void make_title(char *text, bool every) {
        bool begin = true;

        for (char *p = text; *p; p++) {
                if (begin)
                        *p = g_ascii_toupper(*p);
                begin = every && g_ascii_isspace(*p);
        }
}

static int apply_filter(Engine *engine, const char *filter, const Value *argument, Value *value) {
        g_autofree char *text = g_strdup(value_text(value));

        if (value->kind == VALUE_TABLE)
                return engine_fail(engine, "the filter \"%s\" is for texts, not tables", filter);
        if (g_str_equal(filter, "default") || g_str_equal(filter, "default_if_none")) {
                bool missing = g_str_equal(filter, "default") ? !value_is_true(value)
                                                              : value->kind == VALUE_NONE;

                if (missing)
                        value_set_text(value, g_strdup(value_text(argument)));
                return 0;
        }
        if (g_str_equal(filter, "safe") || g_str_equal(filter, "escape"))
                return 0;
        if (g_str_equal(filter, "upper"))
                value_set_text(value, g_utf8_strup(text, -1));
        else if (g_str_equal(filter, "lower"))
                value_set_text(value, g_utf8_strdown(text, -1));
        else if (g_str_equal(filter, "length"))
                value_set_text(value, g_strdup_printf("%ld", g_utf8_strlen(text, -1)));
        else if (g_str_equal(filter, "title") || g_str_equal(filter, "capfirst")) {
                make_title(text, g_str_equal(filter, "title"));
                value_set_text(value, TAKE_PTR(text));
        } else if (g_str_equal(filter, "trim"))
                value_set_text(value, g_strdup(g_strstrip(text)));
        else
                return engine_fail(engine, "there is no filter \"%s\"", filter);
        return 0;
}

static int read_filtered(Engine *engine, Value *ret) {
        int r = read_primary(engine, ret);

        while (r >= 0 && strncmp(engine->at, "||", 2) != 0 && take(engine, "|")) {
                g_autofree char *filter = take_name(engine, false);
                g_auto(Value) argument = { 0 };

                if (!filter)
                        return engine_fail(engine, "the name of a filter is missing");
                if (take(engine, ":"))
                        r = read_primary(engine, &argument);
                if (r >= 0)
                        r = apply_filter(engine, filter, &argument, ret);
                skip_blanks(engine);
        }
        return r;
}

static int read_comparison(Engine *engine, Value *ret) {
        g_auto(Value) other = { 0 };
        bool equal;
        int r;

        if (take(engine, "not") || (strncmp(engine->at, "!=", 2) != 0 && take(engine, "!"))) {
                if (++engine->depth > DEPTH_MAX)
                        return engine_fail(engine, "an expression is too deep");
                r = read_comparison(engine, ret);
                engine->depth--;
                if (r >= 0)
                        value_set_truth(ret, !value_is_true(ret));
                return r;
        }
        r = read_filtered(engine, ret);
        if (r < 0)
                return r;
        equal = take(engine, "==");
        if (!equal && !take(engine, "!="))
                return 0;
        r = read_filtered(engine, &other);
        if (r < 0)
                return r;
        value_set_truth(ret, equal == g_str_equal(value_text(ret), value_text(&other)));
        return 0;
}

static int read_and(Engine *engine, Value *ret) {
        int r = read_comparison(engine, ret);

        while (r >= 0 && (take(engine, "and") || take(engine, "&&"))) {
                g_auto(Value) other = { 0 };

                r = read_comparison(engine, &other);
                if (r >= 0)
                        value_set_truth(ret, value_is_true(ret) && value_is_true(&other));
        }
        return r;
}

static int read_expression(Engine *engine, Value *ret) {
        int r;

        if (++engine->depth > DEPTH_MAX)
                return engine_fail(engine, "an expression is too deep");
        r = read_and(engine, ret);
        while (r >= 0 && (take(engine, "or") || take(engine, "||"))) {
                g_auto(Value) other = { 0 };

                r = read_and(engine, &other);
                if (r >= 0)
                        value_set_truth(ret, value_is_true(ret) || value_is_true(&other));
        }
        engine->depth--;
        return r;
}

static int read_whole_expression(Engine *engine, Value *ret) {
        int r = read_expression(engine, ret);

        skip_blanks(engine);
        if (r >= 0 && *engine->at)
                return engine_fail(engine, "\"%.20s\" is not understood", engine->at);
        return r;
}

/* --- tags --- */

static bool is_wanted(const Engine *engine) {
        return engine->n_branches == 0 || engine->branches[engine->n_branches - 1].active;
}

static int append(Engine *engine, const char *text, size_t size) {
        if (!is_wanted(engine))
                return 0;
        if (engine->out->len + size > TEMPLATE_OUTPUT_MAX)
                return engine_fail(engine, "the file would be larger than %u bytes",
                                   TEMPLATE_OUTPUT_MAX);
        g_string_append_len(engine->out, text, (gssize) size);
        return 0;
}

static int begin_branch(Engine *engine) {
        g_auto(Value) value = { 0 };
        bool outer = is_wanted(engine);
        int r = read_whole_expression(engine, &value);

        if (r < 0)
                return r;
        if (engine->n_branches == DEPTH_MAX)
                return engine_fail(engine, "\"if\" is nested more than %u times", DEPTH_MAX);
        engine->branches[engine->n_branches++] = (Branch) {
                .outer = outer,
                .taken = value_is_true(&value),
                .active = outer && value_is_true(&value),
                .line = engine->line,
        };
        return 0;
}

static int next_branch(Engine *engine, bool conditional) {
        Branch *branch = engine->n_branches > 0 ? &engine->branches[engine->n_branches - 1] : NULL;
        g_auto(Value) value = { .kind = VALUE_TRUTH, .truth = true };
        int r = 0;

        if (!branch || branch->last)
                return engine_fail(engine, "\"%s\" belongs to no \"if\"",
                                   conditional ? "elif" : "else");
        if (conditional) {
                value_clear(&value);
                r = read_whole_expression(engine, &value);
        }
        if (r < 0)
                return r;
        branch->active = branch->outer && !branch->taken && value_is_true(&value);
        branch->taken = branch->taken || value_is_true(&value);
        branch->last = !conditional;
        return 0;
}

static int do_tag(Engine *engine, const char *content) {
        g_autofree char *word = NULL;

        engine->at = content;
        word = take_name(engine, false);
        if (!word)
                return engine_fail(engine, "a tag without a name");
        if (g_str_equal(word, "if"))
                return begin_branch(engine);
        if (g_str_equal(word, "elif") || g_str_equal(word, "elseif"))
                return next_branch(engine, true);
        if (g_str_equal(word, "else"))
                return next_branch(engine, false);
        if (g_str_equal(word, "endif")) {
                if (engine->n_branches == 0)
                        return engine_fail(engine, "\"endif\" belongs to no \"if\"");
                engine->n_branches--;
                return 0;
        }
        if (g_str_equal(word, "autoescape") || g_str_equal(word, "endautoescape"))
                return 0;
        return engine_fail(engine, "\"{%% %s %%}\" is not supported", word);
}

static int do_value(Engine *engine, const char *content) {
        g_auto(Value) value = { 0 };
        int r;

        engine->at = content;
        r = read_whole_expression(engine, &value);
        if (r < 0 || !is_wanted(engine))
                return r;
        if (value.kind == VALUE_TABLE)
                return engine_fail(engine, "\"%s\" is a table, not a value", content);
        return append(engine, value_text(&value), strlen(value_text(&value)));
}

/* Where the tag that begins at `start` ends: behind its two closing characters. */
static const char *tag_end(const char *start) {
        const char close[3] = { start[1] == '{' ? '}' : start[1], '}', '\0' };
        char quote = '\0';

        for (const char *p = start + 2; *p; p++) {
                if (start[1] != '#' && quote && *p == '\\' && p[1])
                        p++;
                else if (start[1] != '#' && quote)
                        quote = *p == quote ? '\0' : quote;
                else if (start[1] != '#' && (*p == '"' || *p == '\''))
                        quote = *p;
                else if (strncmp(p, close, 2) == 0)
                        return p + 2;
        }
        return NULL;
}

static unsigned count_lines(const char *start, const char *end) {
        unsigned n = 0;

        for (; start < end; start++)
                n += *start == '\n';
        return n;
}

/* One tag, from "{{", "{%" or "{#" on. *ret_end: where to go on. */
static int do_tag_at(Engine *engine, const char *start, const char **ret_end) {
        const char *end = tag_end(start), *from = start + 2, *to;
        g_autofree char *content = NULL;
        int r = 0;

        if (!end)
                return engine_fail(engine, "\"%.2s\" is not closed", start);
        to = end - 2;
        if (*from == '-') {
                from++;
                while (engine->out->len > 0 && is_wanted(engine) &&
                       g_ascii_isspace(engine->out->str[engine->out->len - 1]))
                        g_string_truncate(engine->out, engine->out->len - 1);
        }
        *ret_end = end;
        if (to > from && to[-1] == '-') {
                to--;
                while (g_ascii_isspace(**ret_end))
                        (*ret_end)++;
        }
        content = g_strstrip(g_strndup(from, (gsize) MAX(to - from, 0)));
        if (start[1] == '{')
                r = do_value(engine, content);
        else if (start[1] == '%')
                r = do_tag(engine, content);
        engine->line += count_lines(start, *ret_end);
        return r;
}

int template_render(const char *name, const char *text, GVariant *context, char **ret,
                    Error *ret_error) {
        g_autoptr(GString) out = g_string_new(NULL);
        Engine engine = {
                .name = name, .context = context, .out = out, .line = 1, .error = ret_error,
        };
        const char *at = text;
        int r = 0;

        if (strlen(text) > TEMPLATE_TEXT_MAX)
                return engine_fail(&engine, "it is larger than %u bytes", TEMPLATE_TEXT_MAX);
        while (r >= 0 && *at) {
                const char *tag = at;

                while (*tag && !(*tag == '{' && tag[1] && strchr("{%#", tag[1])))
                        tag++;
                r = append(&engine, at, (size_t) (tag - at));
                engine.line += count_lines(at, tag);
                at = tag;
                if (r >= 0 && *tag)
                        r = do_tag_at(&engine, tag, &at);
        }
        if (r >= 0 && engine.n_branches > 0) {
                engine.line = engine.branches[engine.n_branches - 1].line;
                r = engine_fail(&engine, "\"if\" is not closed");
        }
        if (r < 0)
                return r;
        *ret = g_string_free(TAKE_PTR(out), FALSE);
        return 0;
}
