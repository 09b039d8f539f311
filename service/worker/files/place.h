/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names inside a container, as the child of service/worker/files/inside.h resolves them: by
 * openat2() with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS at the container's root directory. What
 * was found is an fd, and all that follows is done with that fd; a name is never looked up twice.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "service/worker/files/inside.h"

/* A directory, open, and the name of an entry of it, which may be there or not. */
typedef struct Place {
        int dir_fd;
        char *name;
        struct stat stat; /* of the entry itself; st_mode is 0 where there is none */
} Place;

#define PLACE_INIT ((Place) { .dir_fd = -EBADF })

typedef struct NewOwner {
        uint32_t uid, gid;
} NewOwner;

/* Opens what the name leads to. Returns the fd, CLOEXEC, or -errno. */
int place_open(const Inside *inside, const char *path, int flags);
/* Opens a regular file to read; anything else is an error that says what it is, and is not touched.
 * ERROR_NO_SUCH_FILE where there is none. */
int place_open_file(const Inside *inside, const char *path, struct stat *ret_stat,
                    Error *ret_error);
/* Finds where an entry of that name is or would be; `follow`: where it is a link, the place that
 * the link leads to in the end. */
int place_find(const Inside *inside, const char *path, bool follow, Place *ret, Error *ret_error);
void place_done(Place *place);

/* Makes all directories of that name that are not there. */
int place_make_directories(const Inside *inside, const char *path, mode_t mode, NewOwner owner,
                           Error *ret_error);
/* Brings names that were given and taken in the directory that it is in to disk. */
int place_sync(const Place *place, const char *path, Error *ret_error);
/* The directory in which `path` is; "/" for what has none. */
char *place_parent(const char *path);

/* "directory", "fifo"… and "a directory", "a FIFO"… */
const char *file_type_to_string(mode_t mode);
const char *file_type_to_noun(mode_t mode);
/* The error for a file of another type than wanted. */
int place_error_type(const char *path, mode_t mode, Error *ret_error);
/* "type" s, "size" t, "mode" u, "uid" u, "gid" u, "modified" t (µs). */
void place_describe(const struct stat *st, GVariantDict *ret);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_done)
