/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An image as the verbs show it.
 */

#include "client/object.h"

GPtrArray *image_aliases(const Object *o);
/* One of its properties, "" where it has none of that name. */
char *image_property(const Object *o, const char *key);
/* Everything, with LXD's names (a{sv}, floating). */
GVariant *image_to_record(const Object *o);
/* A date such as 2030-12-31 or 2030-12-31T00:00:00Z in µs since 1970; LXD's year 1 is 0, never.
 * False for anything else. */
bool image_parse_date(const char *text, uint64_t *ret);
/* What can be edited, and the aliases (a{sv}, floating). */
GVariant *image_to_editable(const Object *o);
