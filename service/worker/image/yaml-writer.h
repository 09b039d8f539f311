/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writes one YAML document into memory, from its first scalar to its last. An error is remembered
 * and told at the end.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct YamlWriter YamlWriter;

YamlWriter *yaml_writer_new(void);
YamlWriter *yaml_writer_free(YamlWriter *writer);

void yaml_put_string(YamlWriter *writer, const char *text);
/* Numbers and words: without quotes. */
void yaml_put_plain(YamlWriter *writer, const char *text);
void yaml_put_boolean(YamlWriter *writer, bool value);
/* Microseconds since 1970 as a time of RFC 3339; 0 is the year 1, as Go writes no time. */
void yaml_put_time(YamlWriter *writer, uint64_t usec);
void yaml_begin_map(YamlWriter *writer);
void yaml_end_map(YamlWriter *writer);
void yaml_begin_list(YamlWriter *writer);
void yaml_end_list(YamlWriter *writer);
/* a{ss}, as. */
void yaml_put_map(YamlWriter *writer, GVariant *map);
void yaml_put_words(YamlWriter *writer, GVariant *words);

/* To be called once; `title` is what the document is called in the error. */
int yaml_writer_finish(YamlWriter *writer, const char *title, GBytes **ret, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YamlWriter, yaml_writer_free)
