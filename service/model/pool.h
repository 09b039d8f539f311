/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A storage pool, as recorded. Its files are reached at one path whatever its driver. */

#include "service/model/object.h"
#include "service/util/error.h"

typedef enum PoolState {
        POOL_CREATING,
        POOL_UNAVAILABLE,
        POOL_AVAILABLE,
        POOL_DELETING,
        _POOL_STATE_MAX,
} PoolState;

typedef struct StoragePool {
        Object object;
        PoolState state; /* only creating and deleting are recorded */
        char *description;
        char *driver;    /* "dir", "btrfs" or "lvm" */
        char *source;    /* directory, loop file, block device or volume group */
        GVariant *config; /* a{ss} */
        /* Not recorded: why it could not be mounted, and when that was tried (µs since 1970). */
        char *problem;
        uint64_t tried;
        bool copies_fail; /* not recorded: it takes no copies of records, and that was logged */
} StoragePool;

StoragePool *storage_pool_new(const char *name, uid_t owner);
StoragePool *storage_pool_free(StoragePool *pool);

GVariant *storage_pool_to_record(const StoragePool *pool);
int storage_pool_from_record(const char *name, GVariant *value, StoragePool **ret);

const char *storage_pool_state_to_string(PoolState state);
/* ERROR_BACKEND_FAILED that says why the pool cannot be used. */
int storage_pool_unavailable(const StoragePool *pool, Error *ret_error);
int storage_pool_check_driver(const char *driver, Error *ret_error);
/* Source ("" for none of its own) and keys make sense for the driver. */
int storage_pool_check_config(const char *driver, const char *source, GVariant *config,
                              Error *ret_error);
/* A copy of what is in it, in use or not, is what it was at one moment. */
bool storage_pool_takes_pictures(const StoragePool *pool);
/* It is in a loop file of its own. */
bool storage_pool_has_file(const StoragePool *pool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoragePool, storage_pool_free)
