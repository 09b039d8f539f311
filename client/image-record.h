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
/* What can be edited, and the aliases (a{sv}, floating). */
GVariant *image_to_editable(const Object *o);
