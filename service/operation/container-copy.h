/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Making a container from another one, or from a snapshot; and putting one into another pool. */

#include "service/operation/snapshot.h"

typedef struct ContainerCopy {
        Container *source;
        const Snapshot *snapshot;    /* of the source; NULL for the source itself */
        const char *name;            /* "" for one of our making */
        const char *pool;            /* may be NULL, as the rest */
        const char *const *profiles; /* NULL: the source's */
        GVariant *config, *devices;  /* beside the source's */
        const bool *ephemeral;
        bool without_snapshots;
        bool refresh;                /* the target is there, and is brought up to date */
} ContainerCopy;

/* The job's first subject is the new container, which is the caller's. */
int container_copy(Manager *m, Caller caller, const ContainerCopy *args, Job **ret,
                   Error *ret_error);
int container_copy_privilege(Manager *m, Caller caller, const ContainerCopy *args,
                             PrivilegeChange *ret, Error *ret_error);
int container_move(Manager *m, Caller caller, Container *c, const char *pool, Job **ret,
                   Error *ret_error);
/* Undoes a refresh that was interrupted; finishes or undoes a move. */
int container_refresh_recover(Manager *m, Container *c, Job **ret, Error *ret_error);
int container_move_recover(Manager *m, Container *c, Job **ret, Error *ret_error);

/* Arguments of OPERATION_CONTAINER_COPY that are always there. */
void step_put_copy(GVariantDict *args, Manager *m, StoragePool *from, StoragePool *to,
                   const Container *source, const char *snapshot, const Container *target);
