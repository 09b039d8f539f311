/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with volumes of users' own. As with containers, functions that give a job check
 * at once what can be checked, and what a job has not finished is undone or done at the next start.
 * A volume is locked together with its snapshots.
 */

#include "service/operation/container.h"
#include "service/operation/snapshot.h"

typedef struct VolumeCreate {
        const char *name;
        const char *description; /* may be NULL */
        GVariant *config;        /* a{ss} */
} VolumeCreate;

/* The volume, which is the job's first subject, is the caller's. */
int volume_create(Manager *m, Caller caller, StoragePool *pool, const VolumeCreate *args, Job **ret,
                  Error *ret_error);
/* ERROR_IN_USE, naming a user, where a container or profile has it. */
int volume_delete(Manager *m, Caller caller, StorageVolume *v, Job **ret, Error *ret_error);
/* Within its pool. Likewise. */
int volume_rename(Manager *m, Caller caller, StorageVolume *v, const char *name, Job **ret,
                  Error *ret_error);

typedef struct VolumeCopy {
        StorageVolume *source;
        const char *snapshot;    /* "" for the volume itself */
        StoragePool *pool;       /* may be the same */
        const char *name;
        bool without_snapshots;
        bool refresh;            /* the volume of that name is there, and becomes what this is */
} VolumeCopy;

/* The copy is the caller's, what is refreshed stays its owner's, who must be the caller. */
int volume_copy(Manager *m, Caller caller, const VolumeCopy *args, Job **ret, Error *ret_error);
int volume_refresh(Manager *m, Caller caller, const VolumeCopy *args, Job **ret, Error *ret_error);
/* Undoes one that was interrupted. */
int volume_refresh_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error);

typedef struct VolumeUpdate {
        GVariant *set, *unset;   /* a{ss}, as */
        const char *description; /* may be NULL */
        const uint64_t *if_revision;
} VolumeUpdate;

/* On disk when it returns with *ret NULL; where its size changes, a job is to do it. */
int volume_update(Manager *m, Caller caller, StorageVolume *v, const VolumeUpdate *update,
                  Job **ret, Error *ret_error);
int volume_snapshot_create(Manager *m, Caller caller, StorageVolume *v, const SnapshotCreate *args,
                           Job **ret, Error *ret_error);
/* The name that it gets. */
const char *volume_snapshot_of_job(const Job *job);
int volume_snapshot_delete(Manager *m, Caller caller, StorageVolume *v, const char *name,
                           Job **ret, Error *ret_error);
int volume_snapshot_rename(Manager *m, Caller caller, StorageVolume *v, const char *name,
                           const char *new_name, Job **ret, Error *ret_error);
/* Not while a container that runs has it. */
int volume_snapshot_restore(Manager *m, Caller caller, StorageVolume *v, const char *name,
                            Job **ret, Error *ret_error);
/* At once. NULL: as it is. */
int volume_snapshot_update(Manager *m, StorageVolume *v, const char *name, const char *description,
                           const uint64_t *expires, Error *ret_error);

/* Whether an interrupted job has left something to be done, and the job that does it. */
bool volume_is_half(const StorageVolume *v);
int volume_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error);
/* Makes the size what the record says, after a change that was interrupted. */
int volume_resize_recover(Manager *m, StorageVolume *v, Job **ret, Error *ret_error);
