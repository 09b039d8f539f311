/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A file that comes into being as a whole: written without a name, and put in its place when it is
 * complete. Whatever ends the writing before leaves nothing, and who reads the old file meanwhile
 * reads it to its end.
 */

#include "service/worker/files/place.h"

typedef struct NewFile {
        const Inside *inside;
        int dir_fd;      /* borrowed */
        int fd;
        char *temporary; /* its name for the time being, where the filesystem insists on one */
} NewFile;

#define NEW_FILE_INIT ((NewFile) { .dir_fd = -EBADF, .fd = -EBADF })

typedef struct NewFileOwner {
        bool has_uid, has_gid, has_mode;
        uint32_t uid, gid, mode;
} NewFileOwner;

/* Ready to be written through ret->fd. */
int new_file_open(const Inside *inside, int dir_fd, NewFile *ret);
/* Gives it owner and mode, and the name. What `owner` does not say is taken from `old` (of a
 * regular file there, or NULL), else it is root's with `fallback_mode`. */
int new_file_commit(NewFile *file, const char *name, const struct stat *old, NewFileOwner owner,
                    mode_t fallback_mode, const char *path, Error *ret_error);
void new_file_done(NewFile *file);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NewFile, new_file_done)
