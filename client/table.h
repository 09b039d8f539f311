/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What `list` and `show` print. One row is kept in two forms: a record (a{sv}) for JSON and YAML,
 * and one cell a column for table, compact and CSV. A cell is a list of strings: a table shows
 * them below each other, CSV and compact beside each other.
 */

#include <glib.h>

#include "service/util/error.h"

typedef enum OutputFormat {
        OUTPUT_TABLE,
        OUTPUT_COMPACT,
        OUTPUT_CSV,
        OUTPUT_JSON,
        OUTPUT_YAML,
        _OUTPUT_FORMAT_MAX,
} OutputFormat;

/* NULL is `preset`. */
int output_format_parse(const char *word, OutputFormat preset, OutputFormat *ret,
                        Error *ret_error);

typedef struct Table Table;

/* NULL-terminated headings. */
Table *table_new(const char *const *headings);
Table *table_free(Table *t);
/* Words of states ("RUNNING") are coloured in this column, where colours are wanted. */
void table_set_state_column(Table *t, size_t column);
/* Numbers to the right. */
void table_set_right(Table *t, size_t column);
/* Starts a row; `record` may be NULL when no record will be asked for, and is consumed when
 * floating. */
void table_add_row(Table *t, GVariant *record);
/* The next cell of the row. Texts are copied. */
void table_add_cell(Table *t, const char *text);
void table_add_lines(Table *t, const GPtrArray *lines);
int table_print(Table *t, OutputFormat format, Error *ret_error);

/* One record by itself, for `show`: JSON or YAML; the other formats are not for it. */
int record_print(GVariant *record, OutputFormat format, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)
