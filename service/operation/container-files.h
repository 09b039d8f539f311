/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files of a container, running or stopped: each call is one worker, which works inside
 * (service/worker/files/inside.h). A container that is stopped is locked meanwhile, so that it is
 * not started, deleted or renamed under the worker; one that runs is not, and the work ends with
 * it.
 */

#include "service/operation/container.h"

typedef enum FilesVerb {
        FILES_PULL,
        FILES_PUSH,
        FILES_STAT,
        FILES_LIST,
        FILES_MAKE_DIRECTORY,
        FILES_DELETE,
        FILES_PULL_TREE,
        FILES_PUSH_TREE,
        FILES_MOUNT,
        _FILES_VERB_MAX,
} FilesVerb;

typedef struct ContainerFiles {
        FilesVerb verb;
        const char *path;
        GVariant *options;     /* a{sv} for the worker, floating or NULL */
        int data_fd;           /* of the caller, stays his; -EBADF for none */
        /* Called once: what the worker found (a{sv}) when it begins, or its result where it does
         * not say so before, or the error. Never after `userdata` was freed. May be NULL. */
        void (*begun)(Job *job, GVariant *found, Error *error, void *userdata);
        void *userdata;
} ContainerFiles;

int container_files(Manager *m, Caller caller, Container *c, const ContainerFiles *args, Job **ret,
                    Error *ret_error);

/* Arguments that say where a container's files are, and the fd that belongs to them (-EBADF where
 * it does not run). */
void container_files_where(Manager *m, const Container *c, GVariantDict *args, int *ret_fd);
