/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Copies of records beside the files that they are about: in each pool a directory "records" of
 * root's alone, with one of its own record ("pools/NAME"), those of the containers, volumes and
 * unpacked images in it, and those of all networks and profiles. They are what a host can be
 * rebuilt from when its own records are lost (rebuild.h), and are never read otherwise.
 *
 * A copy is made after the record itself is on disk, once the object is whole, and goes after it.
 * It is renamed into its place and not waited for: it reaches the disk within seconds, with
 * everything else there, or by the next start, which brings up to date what differs. What cannot be
 * copied (a pool that is full, or read-only) is logged once, and no error: the record counts.
 */

#include "service/operation/manager.h"

int pool_records_new(Manager *m, PoolRecords **ret, Error *ret_error);
PoolRecords *pool_records_free(PoolRecords *records);

/* The record of an object was written. `record` as it was. */
void pool_records_save(Manager *m, const Object *o, GVariant *record);
/* The record of that name, whose files were in that pool, was removed. */
void pool_records_forget(Manager *m, ObjectKind kind, const char *pool, const char *name);
/* The pool can be used (again): brings all that is in it up to date, bit by bit when there is
 * nothing else to do, since nobody waits for it. */
void pool_records_sync(Manager *m, StoragePool *pool);
/* Calls `func` for each copy of that kind: a stranger's word, though in a form that makes sense. */
int pool_records_load(Manager *m, const char *pool, ObjectKind kind, RecordFunc func,
                      void *userdata, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolRecords, pool_records_free)
