/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * GVariants as JSON. Dictionaries with string keys become objects, variants their content, tuples
 * arrays, "()" null. Characters that do not print are escaped, so that the text is safe on a
 * terminal and still the same JSON.
 */

#include <stdbool.h>

#include <glib.h>

/* `pretty`: indented over several lines, else one line. Without a final newline. */
char *json_from_variant(GVariant *value, bool pretty);
