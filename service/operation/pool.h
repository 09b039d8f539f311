/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be done with storage pools. */

#include "service/operation/container.h"

typedef struct PoolCreate {
        const char *name, *driver;
        const char *description; /* may be NULL */
        GVariant *config;        /* a{ss} */
} PoolCreate;

int pool_create(Manager *m, Caller caller, const PoolCreate *args, Job **ret, Error *ret_error);
/* The arguments of the operations on a pool as a whole. */
void pool_put_source(GVariantDict *args, Manager *m, StoragePool *pool, uint64_t size);
int pool_delete(Manager *m, Caller caller, StoragePool *pool, Job **ret, Error *ret_error);
typedef struct PoolChange {
        GVariant *set;           /* a{ss}, may be NULL as all of these */
        GVariant *unset;         /* as */
        const char *description;
        const uint64_t *if_revision;
} PoolChange;

/* Changes the configuration, all of it or nothing; *ret is NULL where that needs no job. */
int pool_update(Manager *m, Caller caller, StoragePool *pool, const PoolChange *change, Job **ret,
                Error *ret_error);
/* Mounts what is recorded, and deletes images that no record owns. */
int pool_mount(Manager *m, StoragePool *pool, Job **ret, Error *ret_error);
/* Of a mounted one; see pool-sweep.h. */
#define POOL_SWEEP "pool-sweep"
int pool_sweep(Manager *m, StoragePool *pool, Job **ret, Error *ret_error);
/* ERROR_EXISTS where there are files in its directory ("containers", "custom") that bear the name,
 * whose record was lost: they are nobody's to write to or delete. */
int pool_check_no_files(Manager *m, const char *pool, const char *directory, const char *name,
                        Error *ret_error);
/* Bytes of the filesystem that it is on. */
int pool_get_space(Manager *m, StoragePool *pool, uint64_t *ret_total, uint64_t *ret_used,
                   Error *ret_error);
