/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The operations on snapshots of containers and of volumes; see service/worker/operations.h. */

#include "service/worker/storage/storage.h"

int snapshot_create(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error);
int snapshot_delete(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error);
int snapshot_rename(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                    Error *ret_error);
int snapshot_restore(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                     Error *ret_error);
int snapshot_restore_undo(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                          Error *ret_error);
int snapshot_restore_end(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                         Error *ret_error);

