/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The a{sv} at the end of every method. A const table says which options there are and of what
 * type; an option that is unknown, given twice or of another type is InvalidArgs that names it, so
 * that a slip of the pen is never taken for a wish.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

typedef struct Option {
        const char *name;
        const char *type; /* as GVariant writes it */
} Option;

/* The table ends with a NULL name; NULL for no options at all. */
int options_check(GVariant *options, const Option *table, Error *ret_error);

/* What was given, or the default. Strings live as long as `options`; variants are full references
 * or NULL; the string array is to be freed with g_free() alone. */
bool option_get_boolean(GVariant *options, const char *name, bool fallback);
uint64_t option_get_uint64(GVariant *options, const char *name, uint64_t fallback);
uint32_t option_get_uint32(GVariant *options, const char *name, uint32_t fallback);
const char *option_get_string(GVariant *options, const char *name, const char *fallback);
GVariant *option_get_variant(GVariant *options, const char *name, const char *type);
const char **option_get_strv(GVariant *options, const char *name);
