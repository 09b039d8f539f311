/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Volumes as archives, as container-archive.h has it for containers. */

#include "service/operation/volume.h"

typedef struct VolumeExport {
        int archive;             /* regular file or pipe; stays the caller's */
        const char *compression;
        bool without_snapshots;
} VolumeExport;

int volume_export(Manager *m, Caller caller, StorageVolume *v, const VolumeExport *args, Job **ret,
                  Error *ret_error);
/* The volume, which is the caller's, appears when the archive's index was read, and is the job's
 * subject from then on. `name` "" for that in the archive. */
int volume_import(Manager *m, Caller caller, StoragePool *pool, int archive, const char *name,
                  Job **ret, Error *ret_error);
