/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What all objects of the service have in common: a kind, a name that is unique in that kind, an
 * owner, and a generation that no other object ever has, so that an answer that took its time
 * (polkit's) is not applied to a namesake that came meanwhile. Objects are plain data: what is
 * done with them is in operation/, how they look on the bus in bus/.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

typedef struct Object Object;

typedef enum ObjectKind {
        OBJECT_CONTAINER,
        OBJECT_IMAGE,
        OBJECT_PROFILE,
        OBJECT_NETWORK,
        OBJECT_POOL,
        OBJECT_VOLUME,
        OBJECT_SNAPSHOT,
        OBJECT_JOB,
        _OBJECT_KIND_MAX,
} ObjectKind;

struct Object {
        ObjectKind kind;
        char *name; /* of an image its fingerprint, of a job its number, of a snapshot
                    * CONTAINER/NAME, of a volume POOL/NAME */
        uint64_t generation;
        uid_t owner;
        uint64_t revision; /* rises with every change of configuration */
};

/* "container", "storage pool": for messages. */
const char *object_kind_to_noun(ObjectKind kind);
/* "containers", "pools": the directory of its records. NULL for jobs, which have none, and
 * snapshots, which are part of their container's. */
const char *object_kind_to_directory(ObjectKind kind);
/* The kind's "there is none of that name". */
int object_error_missing(ObjectKind kind);

/* The file of its record: '/', which names of volumes have, is ':' there. To be freed. */
char *object_name_to_record(ObjectKind kind, const char *name);
char *object_name_from_record(ObjectKind kind, const char *file);

void object_init(Object *o, ObjectKind kind, const char *name, uid_t owner);
void object_done(Object *o);
