/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The filters of `list`: a beginning of a name, a regular expression for the whole name,
 * KEY=VALUE of the expanded configuration (namespaces may be abbreviated: "u.team=web"), and the
 * shorthands status=, type=, architecture=, name=, ipv4= and ipv6= (address or network). All of
 * them must match.
 */

#include <stdbool.h>

#include "client/object.h"

typedef struct Filter Filter;

int filter_new(const char *text, Filter **ret, Error *ret_error);
void filter_free(Filter *f);
/* Whether the container's configuration is needed to decide. */
bool filter_needs_config(const Filter *f);
/* `config` is a{ss} or NULL. */
bool filter_matches(const Filter *f, const Object *container, GVariant *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Filter, filter_free)
