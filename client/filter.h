/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The filters of `list`: a beginning of a name, a regular expression for the whole name,
 * KEY=VALUE of the expanded configuration (namespaces may be abbreviated: "u.team=web"; no value:
 * those that have none), and the shorthands status=, type=, architecture=, description=, name=,
 * ipv4= and ipv6= (address or network). A value is a regular expression for the whole of it, or
 * with "^" or "$" for a part. All of them must match.
 */

#include <stdbool.h>

#include "client/object.h"

typedef struct Filter Filter;

/* The expression that a value stands for, or NULL where it is none and compared as it is. */
GRegex *filter_regex_new(const char *value, bool caseless);
bool filter_regex_matches(const GRegex *regex, const char *wanted, const char *value);

int filter_new(const char *text, Filter **ret, Error *ret_error);
void filter_free(Filter *f);
/* Whether the container's configuration is needed to decide. */
bool filter_needs_config(const Filter *f);
/* The property of containers that is needed to decide, or NULL. */
const char *filter_property(const Filter *f);
/* `config` is a{ss} or NULL. */
bool filter_matches(const Filter *f, const Object *container, GVariant *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Filter, filter_free)
