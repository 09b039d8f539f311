/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A snapshot: what a container was at some moment. Its object's name is "CONTAINER/NAME". It is
 * part of its container's record, so that both change in one step, and lives and goes with it; the
 * container lists its snapshots, oldest first, the table of the Manager owns them.
 */

#include <stdbool.h>

#include "service/model/object.h"
#include "service/util/error.h"

/* Snapshots of one container: all are in its record, which is written at each change. */
#define SNAPSHOTS_MAX 1000U

typedef enum SnapshotState {
        SNAPSHOT_CREATING,
        SNAPSHOT_READY,
        SNAPSHOT_DELETING,
        _SNAPSHOT_STATE_MAX,
} SnapshotState;

typedef struct Snapshot {
        Object object;
        SnapshotState state;
        bool froze;           /* while it is made the container is held still */
        char *rename_to;      /* the last part of the name that it is to get, or NULL */
        char *description;
        uint64_t created, expires; /* µs since 1970; 0: never */
        bool ephemeral;
        bool stateful;        /* the state of its processes is beside it, in its pool */
        char **profiles;
        GVariant *config;     /* a{ss}, the container's own */
        GVariant *devices;    /* a{sa{ss}}, likewise */
} Snapshot;

#define SNAPSHOTS_TYPE ((const GVariantType *) "aa{sv}")

Snapshot *snapshot_new(const char *container, const char *name, uid_t owner);
Snapshot *snapshot_free(Snapshot *s);

/* The last part of its name, borrowed; the first part, to be freed. */
const char *snapshot_get_name(const Snapshot *s);
char *snapshot_get_container(const Snapshot *s);
/* Another name, or another container. Not for one that is in the Manager's table. */
void snapshot_set_name(Snapshot *s, const char *container, const char *name);
/* A copy that is another container's, without the state of its processes: that is for one
 * container alone. */
Snapshot *snapshot_copy(const Snapshot *s, const char *container, uid_t owner);

/* Snapshots (GPtrArray of Snapshot) as a field of their container's record, and back. Full
 * reference. */
GVariant *snapshots_to_record(const GPtrArray *snapshots);
int snapshots_from_record(const char *container, uid_t owner, GVariant *record,
                          GPtrArray *snapshots);
/* The one of that name in the list, or NULL. */
Snapshot *snapshots_find(const GPtrArray *snapshots, const char *name);

const char *snapshot_state_to_string(SnapshotState state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_free)
