/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How full a pool is whose driver must be asked: see StoragePool.GetSpace(). */

#include "service/operation/disk-usage.h"

/* Whether it is; pool_get_space() answers for others. */
bool pool_space_takes_job(const StoragePool *pool);
/* A job that asks; it may wait for the pool to be mounted. `func` gets "size" t, "used" t. */
int pool_space(Manager *m, Caller caller, StoragePool *pool, DiskUsageFunc func, void *userdata,
               Job **ret, Error *ret_error);
