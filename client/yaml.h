/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * GVariants as YAML and back.
 *
 * Reading gives a plain model, because everything in the service's configuration is text: scalars
 * become strings whatever they look like (so that `limits.cpu: 6` needs no quotes), sequences
 * "av", mappings "a{sv}", and null or an empty value "()".
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

/* With a final newline. */
char *yaml_from_variant(GVariant *value);
/* One document. An empty text gives "()". */
int yaml_to_variant(const char *text, GVariant **ret, Error *ret_error);

/* Entries of a mapping that was read. "()" and a missing key give 0 and leave *ret alone, 1 means
 * that it was there; a value of the wrong kind is an error that names the key. */
int yaml_get_string(GVariant *mapping, const char *key, char **ret, Error *ret_error);
int yaml_get_boolean(GVariant *mapping, const char *key, bool *ret, Error *ret_error);
/* A sequence of strings (as). An explicit null counts as an empty one. */
int yaml_get_strings(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error);
/* A mapping of strings (a{ss}), one of mappings of strings (a{sa{ss}}). */
int yaml_get_config(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error);
int yaml_get_devices(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error);
/* Refuses keys that are not among `keys` (NULL-terminated). */
int yaml_check_keys(GVariant *mapping, const char *const *keys, Error *ret_error);
