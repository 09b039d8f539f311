/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The kinds of objects that the service has, where they live on the bus, and one object with its
 * properties as GetManagedObjects() tells of it.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

#define BERTH_BUS_NAME "org.berth1"
#define BERTH_ROOT_PATH "/org/berth1"
#define BERTH_MANAGER_INTERFACE "org.berth1.Manager"

typedef enum ObjectKind {
        OBJECT_MANAGER,
        OBJECT_CONTAINER,
        OBJECT_SNAPSHOT,
        OBJECT_IMAGE,
        OBJECT_PROFILE,
        OBJECT_NETWORK,
        OBJECT_POOL,
        OBJECT_VOLUME,
        OBJECT_JOB,
        _OBJECT_KIND_MAX,
        _OBJECT_KIND_INVALID = -EINVAL,
} ObjectKind;

typedef struct Object {
        ObjectKind kind;
        char *path;
        char *name;           /* decoded last part of the path */
        GVariant *properties; /* a{sv} */
} Object;

/* The word of the path, such as "pool". */
const char *object_kind_to_word(ObjectKind kind);
ObjectKind object_kind_from_word(const char *word);
/* For sentences, such as "Storage pool". */
const char *object_kind_to_noun(ObjectKind kind);
const char *object_kind_to_interface(ObjectKind kind);
ObjectKind object_kind_from_interface(const char *interface);
/* The error for "there is none of that name". */
ErrorCode object_kind_to_error(ObjectKind kind);

/* Of a snapshot the name is CONTAINER/NAME, of a volume POOL/NAME. */
char *object_make_path(ObjectKind kind, const char *name);
/* Kind and name behind a path; false for a path that is not of this service. */
bool object_parse_path(const char *path, ObjectKind *ret_kind, char **ret_name);
/* Names behind an array of paths (ao), sorted. */
GPtrArray *object_names(GVariant *paths);

void object_free(Object *o);

/* Properties. A missing one, or one of another type, reads as "", 0, false or an empty list, so
 * that an older or newer service still gives a table. Borrowed from the object. */
const char *object_get_string(const Object *o, const char *property);
uint64_t object_get_number(const Object *o, const char *property);
double object_get_double(const Object *o, const char *property);
bool object_get_boolean(const Object *o, const char *property);
/* NULL when absent or not of `type`; the caller owns the reference. */
GVariant *object_get_value(const Object *o, const char *property, const char *type);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Object, object_free)
