/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The life of a pool: the operations POOL_CREATE, POOL_MOUNT, POOL_GROW, POOL_SPACE and POOL_DELETE
 * of service/worker/operations.h, which describes them.
 */

#include "service/worker/worker.h"

int pool_create(Worker *worker, GVariantDict *result, Error *ret_error);
int pool_mount(Worker *worker, GVariantDict *result, Error *ret_error);
int pool_unmount(Worker *worker, GVariantDict *result, Error *ret_error);
int pool_grow(Worker *worker, GVariantDict *result, Error *ret_error);
int pool_space(Worker *worker, GVariantDict *result, Error *ret_error);
int pool_delete(Worker *worker, GVariantDict *result, Error *ret_error);
