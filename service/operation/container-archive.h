/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers go out as archives and come in again, through fds of clients and without a copy in
 * between. What is in an archive is a stranger's word: it counts as much as if the caller had said
 * it himself in a call that creates a container.
 */

#include "service/operation/container.h"

typedef struct ContainerExport {
        int archive;             /* regular file or pipe; stays the caller's */
        const char *compression;
        bool without_snapshots;
} ContainerExport;

int container_export(Manager *m, Caller caller, Container *c, const ContainerExport *args,
                     Job **ret, Error *ret_error);

typedef struct ContainerImport {
        int archive;             /* regular file or pipe; stays the caller's */
        const char *name;        /* "" for that in the archive */
        const char *pool;        /* NULL: as the archive's configuration says */
        /* Called when the archive's configuration asks for more than the caller was granted: for
         * container_import_decide(), or NULL to refuse it. Called again, then with `needed` NULL,
         * once the container is in the table, or with an error that the job has come to; never
         * after that. */
        void (*read)(Job *job, const char *name, const PrivilegeChange *needed,
                     const Error *error, void *userdata);
        void *userdata;
} ContainerImport;

/* The container, which is the job's first subject, appears when the archive's index was read. */
int container_import(Manager *m, Caller caller, const ContainerImport *args, Job **ret,
                     Error *ret_error);
/* What came of the question: a class, or PRIVILEGE_USE with why not. */
void container_import_decide(Job *job, Privilege granted, const Error *refusal);
