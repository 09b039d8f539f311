/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Object paths of objects, and back. */

#include "service/operation/manager.h"

#define BUS_NAME "org.berth1"
#define BUS_ROOT "/org/berth1"

/* "/org/berth1/container", the parent of all objects of a kind. */
const char *bus_path_prefix(ObjectKind kind);
char *bus_path_of(ObjectKind kind, const char *name);
/* The object at a path, or NULL. Of any kind. */
Object *bus_path_find(Manager *m, const char *path);
/* Whether callers see the object: not a snapshot that has no name of its own yet. */
bool bus_shows(const Object *o);
/* Paths of subjects, as an "ao", floating. */
GVariant *bus_paths_of(GArray *subjects);
