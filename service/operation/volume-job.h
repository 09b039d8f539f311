/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the jobs on volumes carry, and the parts that they share. */

#include "service/operation/step.h"
#include "service/operation/volume.h"

typedef struct VolumeJob {
        StorageVolume *volume;   /* locked by the job; NULL once it has been removed */
        StorageVolume *source;   /* copy: locked, too */
        Snapshot *snapshot;      /* of the volume, in its list; NULL once it is out of it */
        Snapshot *made;          /* one to be created until it is in there, the job's own */
        char *from_snapshot;     /* copy, restore: last part of its name */
        char *name;              /* rename: the new one */
        bool committed;          /* nothing is undone any more */
        GVariant *config;        /* update: what is to be, and what was */
        char *description;
        bool refresh;            /* copy: the volume is there already */
        bool without_snapshots;  /* refresh: they stay as they are */
        bool marked;             /* refresh: `new` are in the volume's list */
        GPtrArray *new, *gone;   /* refresh: Snapshot; of the volume once marked */
} VolumeJob;

/* The operation of jobs that exchange the files of a volume by those of another one. */
#define VOLUME_REFRESH "volume-refresh"

/* A job that has the volume locked and as its subject. */
int volume_job_new(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   StorageVolume *v, Job **ret, Error *ret_error);
/* Runs a worker on the job's volume, once its pool can be used; `args` (floating, may be NULL) are
 * added to those that name it. */
int volume_run_worker(Job *job, const char *operation, GVariant *args, Error *ret_error);
/* Step: waits until files of the volume can be deleted, see step_wait_to_delete(). */
int volume_step_wait_to_delete(Job *job, Error *ret_error);
/* Steps: the files of what was begun go, then its record; from the commit on it exists. */
int volume_step_unmake(Job *job, Error *ret_error);
int volume_step_forget(Job *job, Error *ret_error);
/* Step: copies the files of `source` to those of `volume`. */
int volume_step_copy(Job *job, Error *ret_error);
/* Step, also to undo or recover: snapshots of the volume that are half made, or half gone, go, and
 * those that are to have a name get it. */
int volume_step_settle(Job *job, Error *ret_error);
int volume_step_commit(Job *job, Error *ret_error);
/* Whether there can be a new one of that name. */
int volume_check_new(Manager *m, const StoragePool *pool, const char *name, Error *ret_error);
/* ERROR_BUSY unless it is whole. */
int volume_check_ready(const StorageVolume *v, Error *ret_error);
