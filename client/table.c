/* SPDX-License-Identifier: Apache-2.0 */
#include "client/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "client/format.h"
#include "client/json.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

typedef struct Row {
        GVariant *record;
        GPtrArray *cells; /* of GPtrArray of char* */
} Row;

struct Table {
        char **headings;
        size_t n_columns;
        size_t state_column; /* SIZE_MAX for none */
        uint64_t right;      /* one bit a column */
        GPtrArray *rows;
};

static const char *const format_words[] = {
        [OUTPUT_TABLE] = "table", [OUTPUT_COMPACT] = "compact", [OUTPUT_CSV] = "csv",
        [OUTPUT_JSON] = "json",   [OUTPUT_YAML] = "yaml",
};
G_STATIC_ASSERT(G_N_ELEMENTS(format_words) == _OUTPUT_FORMAT_MAX);

int output_format_parse(const char *word, OutputFormat preset, OutputFormat *ret,
                        Error *ret_error) {
        g_autofree char *shown = NULL;

        if (!word) {
                *ret = preset;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(format_words); i++)
                if (g_str_equal(format_words[i], word)) {
                        *ret = i;
                        return 0;
                }
        shown = format_printable(word);
        return error_set(ret_error, ERROR_INVALID_ARGS,
                         "Unknown format '%s'; there are table, compact, csv, json and yaml",
                         shown);
}

static void row_free(gpointer data) {
        Row *row = data;

        g_clear_pointer(&row->record, g_variant_unref);
        g_ptr_array_unref(row->cells);
        g_free(row);
}

Table *table_new(const char *const *headings) {
        Table *t = g_new(Table, 1);

        *t = (Table) {
                .headings = g_strdupv((char **) headings),
                .n_columns = g_strv_length((char **) headings),
                .state_column = SIZE_MAX,
                .rows = g_ptr_array_new_with_free_func(row_free),
        };
        return t;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        g_strfreev(t->headings);
        g_ptr_array_unref(t->rows);
        g_free(t);
        return NULL;
}

void table_set_state_column(Table *t, size_t column) {
        t->state_column = column;
}

void table_set_right(Table *t, size_t column) {
        if (column < 64)
                t->right |= UINT64_C(1) << column;
}

void table_add_row(Table *t, GVariant *record) {
        Row *row = g_new(Row, 1);

        *row = (Row) {
                .record = record ? g_variant_ref_sink(record) : NULL,
                .cells = g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref),
        };
        g_ptr_array_add(t->rows, row);
}

void table_add_lines(Table *t, const GPtrArray *lines) {
        Row *row = g_ptr_array_index(t->rows, t->rows->len - 1);
        GPtrArray *cell = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < lines->len; i++)
                g_ptr_array_add(cell, g_strdup(g_ptr_array_index(lines, i)));
        g_ptr_array_add(row->cells, cell);
}

void table_add_cell(Table *t, const char *text) {
        gpointer lines[] = { (gpointer) text };
        GPtrArray one = { .pdata = lines, .len = 1 };

        table_add_lines(t, &one);
}

static const GPtrArray *row_get_cell(const Row *row, size_t column) {
        return g_ptr_array_index(row->cells, column);
}

static bool colours_wanted(void) {
        const char *no_color = getenv("NO_COLOR");
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
               !(term && g_str_equal(term, "dumb"));
}

static const char *state_colour(const char *state) {
        static const struct {
                const char *state, *colour;
        } colours[] = {
                { "RUNNING", "green" }, { "UP", "green" },        { "AVAILABLE", "green" },
                { "FROZEN", "cyan" },   { "ERROR", "red" },       { "UNAVAILABLE", "red" },
                { "DOWN", "red" },      { "STARTING", "yellow" }, { "STOPPING", "yellow" },
                { "DELETING", "yellow" }, { "CREATING", "yellow" },
        };

        for (size_t i = 0; i < ELEMENTSOF(colours); i++)
                if (g_str_equal(colours[i].state, state))
                        return colours[i].colour;
        return NULL;
}

static char *cell_text(const GPtrArray *cell, const char *separator) {
        g_autoptr(GPtrArray) shown = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < cell->len; i++)
                g_ptr_array_add(shown, format_printable(g_ptr_array_index(cell, i)));
        return format_join(shown, separator);
}

static int add_smartcols_columns(Table *t, struct libscols_table *columns, bool compact) {
        for (size_t i = 0; i < t->n_columns; i++) {
                bool right = i < 64 && t->right >> i & 1;
                int flags = (right ? SCOLS_FL_RIGHT : 0) | (compact ? 0 : SCOLS_FL_WRAP);
                struct libscols_column *column =
                        scols_table_new_column(columns, t->headings[i], 0, flags);

                if (!column)
                        return -ENOMEM;
                if (!compact) {
                        (void) scols_column_set_safechars(column, "\n");
                        (void) scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
                                                         scols_wrapnl_nextchunk, NULL);
                }
        }
        return 0;
}

static int add_smartcols_rows(Table *t, struct libscols_table *columns, bool compact) {
        bool colours = colours_wanted();

        (void) scols_table_enable_colors(columns, colours);
        for (size_t i = 0; i < t->rows->len; i++) {
                const Row *row = g_ptr_array_index(t->rows, i);
                struct libscols_line *line = scols_table_new_line(columns, NULL);

                if (!line)
                        return -ENOMEM;
                for (size_t j = 0; j < t->n_columns; j++) {
                        g_autofree char *text = cell_text(row_get_cell(row, j),
                                                          compact ? ", " : "\n");
                        const char *colour;

                        if (scols_line_set_data(line, j, text) < 0)
                                return -ENOMEM;
                        colour = colours && j == t->state_column ? state_colour(text) : NULL;
                        if (colour)
                                (void) scols_cell_set_color(scols_line_get_cell(line, j), colour);
                }
        }
        return 0;
}

static int table_print_columns(Table *t, bool compact, Error *ret_error) {
        struct libscols_table *columns = scols_new_table();
        int r;

        if (!columns)
                return error_set_errno(ret_error, ENOMEM, "Cannot make a table");
        /* Rows are never cut off: a name that is cut is of no use. */
        (void) scols_table_enable_maxout(columns, 0);
        (void) scols_table_set_termforce(columns, SCOLS_TERMFORCE_NEVER);
        (void) scols_table_set_column_separator(columns, "  ");
        r = add_smartcols_columns(t, columns, compact);
        if (r >= 0)
                r = add_smartcols_rows(t, columns, compact);
        if (r >= 0 && t->rows->len == 0) {
                /* libsmartcols prints nothing at all for an empty table. */
                g_autofree char *line = g_strjoinv("  ", t->headings);

                puts(line);
        } else if (r >= 0)
                r = scols_print_table(columns);
        scols_unref_table(columns);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot print the table");
        return 0;
}

/* A program that reads the CSV gets the text as it is; a terminal must not be written to by it. */
static void print_csv_field(const GPtrArray *cell, bool terminal) {
        g_autofree char *joined = terminal ? cell_text(cell, "\n") : format_join(cell, "\n");

        if (!strpbrk(joined, ",\"\r\n") && *joined != ' ') {
                fputs(joined, stdout);
                return;
        }
        putchar('"');
        for (const char *p = joined; *p; p++) {
                if (*p == '"')
                        putchar('"');
                putchar(*p);
        }
        putchar('"');
}

static void table_print_csv(Table *t) {
        bool terminal = isatty(STDOUT_FILENO);

        for (size_t i = 0; i < t->rows->len; i++) {
                const Row *row = g_ptr_array_index(t->rows, i);

                for (size_t j = 0; j < t->n_columns; j++) {
                        if (j > 0)
                                putchar(',');
                        print_csv_field(row_get_cell(row, j), terminal);
                }
                putchar('\n');
        }
}

static GVariant *table_to_records(Table *t) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; i < t->rows->len; i++) {
                const Row *row = g_ptr_array_index(t->rows, i);

                if (row->record)
                        g_variant_builder_add_value(&builder, row->record);
        }
        return variant_seal(g_variant_builder_end(&builder));
}

int table_print(Table *t, OutputFormat format, Error *ret_error) {
        g_autoptr(GVariant) records = NULL;

        switch (format) {
        case OUTPUT_TABLE:
        case OUTPUT_COMPACT:
                return table_print_columns(t, format == OUTPUT_COMPACT, ret_error);
        case OUTPUT_CSV:
                table_print_csv(t);
                return 0;
        case OUTPUT_JSON:
        case OUTPUT_YAML:
                records = table_to_records(t);
                return record_print(records, format, ret_error);
        case _OUTPUT_FORMAT_MAX:
                break;
        }
        g_assert_not_reached();
}

int record_print(GVariant *record, OutputFormat format, Error *ret_error) {
        g_autoptr(GVariant) own = g_variant_ref_sink(record);
        g_autofree char *text = NULL, *shown = NULL;

        if (format == OUTPUT_JSON) {
                text = json_from_variant(own, isatty(STDOUT_FILENO));
                puts(text);
                return 0;
        }
        if (format != OUTPUT_YAML)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "One object is shown as yaml or json, not as %s",
                                 format_words[format]);
        text = yaml_from_variant(own);
        /* libyaml escapes controls, but not the characters that change the direction of text. */
        shown = isatty(STDOUT_FILENO) ? format_printable_lines(text) : NULL;
        fputs(shown ?: text, stdout);
        return 0;
}
