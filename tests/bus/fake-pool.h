/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Volumes as the fake worker has them: empty directories of the pool that the arguments name. */

#include "service/worker/worker.h"

/* PARENT/NAME, or PARENT where `name` is NULL. */
int make_dir_below(Worker *worker, const char *parent, const char *name, Error *ret_error);
/* Fine where there is none. */
int remove_below(Worker *worker, const char *parent, const char *name, Error *ret_error);
/* Those of a container; `names` as. */
int make_snapshots(Worker *worker, const char *directory, const char *name, GVariant *names,
                   Error *ret_error);

/* Operations on them, of containers and of volumes. */
int fake_pool_delete(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_container_delete(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_volume_delete(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_volume_create(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_container_copy(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_volume_copy(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_container_rename(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_volume_rename(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_snapshot_create(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_snapshot_delete(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_snapshot_rename(Worker *worker, GVariantDict *result, Error *ret_error);
