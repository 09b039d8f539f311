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
        SNAPSHOT_REPLACING, /* a stand-in that is whole, and gets its name once that is free */
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
/*
 * A stand-in: a snapshot that is to take the place of another one of its container. Until that has
 * gone it has a name that nobody can give, a mark before the name that it will have; callers
 * neither see nor find it.
 */
bool snapshot_is_stand_in(const Snapshot *s);
bool snapshot_name_is_stand_in(const char *name);
/* The name that it will have, which is any other name itself. Borrowed. */
const char *snapshot_lasting_name(const char *name);
/* The last part of the name that it is to have, whatever it has now. Borrowed. */
const char *snapshot_get_name_to_be(const Snapshot *s);
/* Whether it is half made or half gone. */
bool snapshot_is_to_go(const Snapshot *s);
/* It is whole now. */
void snapshot_set_made(Snapshot *s);
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
/* Whether one in the list has that name, or is about to get it. */
bool snapshots_claim(const GPtrArray *snapshots, const char *name);
/* What a new one is to be called at first: so, or as a stand-in where there is another one. To be
 * freed. */
char *snapshots_name_new(const GPtrArray *snapshots, const char *name);
/* The one whose place the stand-in is to take, or NULL. */
Snapshot *snapshots_find_replaced(const GPtrArray *snapshots, const Snapshot *s);
/* The first that is half made or half gone, or does not have its name yet: what gets the name of
 * another one comes after it. NULL for none. */
Snapshot *snapshots_find_half(const GPtrArray *snapshots);

/*
 * A refresh of a copy. Snapshots of the same name and time are the same: what of `theirs` is not
 * among `ours` is added to `new`, as snapshots of `parent` that are being created, stand-ins where
 * ours have one of that name; what of ours is not among theirs is added to `gone`.
 */
void snapshots_compare(const GPtrArray *theirs, const GPtrArray *ours, const char *parent,
                       uid_t owner, GPtrArray *new, GPtrArray *gone);
/* Done: the new ones are whole, and those to go are about to; or, again, neither. */
void snapshots_exchange(const GPtrArray *new, const GPtrArray *gone, bool done);

const char *snapshot_state_to_string(SnapshotState state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_free)
