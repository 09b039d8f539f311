/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files and directories of a mount that are open, by number. As with nodes, the number comes back
 * from whoever holds the fd of the mount and is not believed.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HANDLES_MAX 512U

typedef struct Handle {
        bool used;
        int fd;                 /* of the directory too; closed with `dir` then */
        DIR *dir;               /* NULL for a file */
        struct dirent *pending; /* read, but there was no room for it */
        off_t offset;           /* where in the directory `pending`, or what follows, is */
} Handle;

typedef struct HandleTable {
        Handle handles[HANDLES_MAX];
} HandleTable;

/* Takes the fd over, also when it fails. */
int handle_new(HandleTable *table, int fd, bool directory, uint64_t *ret);
/* NULL where there is none of that kind. */
Handle *handle_find(HandleTable *table, uint64_t id, bool directory);
void handle_free(Handle *handle);
