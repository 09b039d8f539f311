/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The operations on snapshots; see service/worker/operations.h. */

#include "service/worker/worker.h"

int snapshot_create(Worker *worker, GVariantDict *result, Error *ret_error);
int snapshot_delete(Worker *worker, GVariantDict *result, Error *ret_error);
int snapshot_rename(Worker *worker, GVariantDict *result, Error *ret_error);
int snapshot_restore(Worker *worker, GVariantDict *result, Error *ret_error);
int snapshot_restore_undo(Worker *worker, GVariantDict *result, Error *ret_error);
int snapshot_restore_end(Worker *worker, GVariantDict *result, Error *ret_error);
