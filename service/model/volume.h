/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A custom volume: files of users' own in a storage pool, for containers to share and to outlive
 * them. Its object's name is "POOL/NAME", that of its record "POOL:NAME". Its snapshots are part of
 * it and no objects of their own: they hold files alone, so of a Snapshot only name, state, times
 * and description count; their names are "NAME/SNAPSHOT".
 */

#include "service/model/object.h"
#include "service/model/snapshot.h"
#include "service/util/error.h"

typedef enum StorageVolumeState {
        STORAGE_VOLUME_CREATING,
        STORAGE_VOLUME_READY,
        STORAGE_VOLUME_DELETING,
        _STORAGE_VOLUME_STATE_MAX,
} StorageVolumeState;

typedef struct StorageVolume {
        Object object;
        StorageVolumeState state;
        char *description;
        GVariant *config;     /* a{ss} */
        uint64_t created;     /* µs since 1970 */
        char *rename_to;      /* last part of the name that it is to get, or NULL */
        bool refreshing;      /* its files may be those of what it is refreshed from already */
        char *restore_from;   /* a restore from that snapshot is under way, or NULL */
        bool resizing;        /* it may have another size than `config` says */
        GPtrArray *snapshots; /* of Snapshot, oldest first */
} StorageVolume;

StorageVolume *storage_volume_new(const char *pool, const char *name, uid_t owner);
StorageVolume *storage_volume_free(StorageVolume *v);

/* The last part of its name, borrowed; the pool, to be freed. */
const char *storage_volume_get_name(const StorageVolume *v);
char *storage_volume_get_pool(const StorageVolume *v);
/* What it may hold, in bytes; 0: no limit. */
uint64_t storage_volume_get_size(const StorageVolume *v);
const char *storage_volume_state_to_string(StorageVolumeState state);

GVariant *storage_volume_to_record(const StorageVolume *v);
int storage_volume_from_record(const char *name, GVariant *record, StorageVolume **ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageVolume, storage_volume_free)
