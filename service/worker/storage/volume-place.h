/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a volume is in its pool, under which names, and how messages call it: what the files that
 * work on volumes (volume*.c) share, and nobody else.
 */

#include "service/worker/storage/storage.h"

typedef struct VolumePlace {
        int dir_fd; /* the directory that it is or will be in */
        char *name;
        char *unfinished, *deleted; /* ".NAME.new", ".NAME.old" */
} VolumePlace;

#define VOLUME_PLACE_INIT ((VolumePlace) { .dir_fd = -EBADF })

void volume_place_done(VolumePlace *place);

/* Checks the name and opens the directory. -ENOENT, without a message, where there is no such
 * directory and it was not to be made. */
int volume_find(Pool *pool, VolumeKind kind, const char *name, bool make, VolumePlace *ret,
                Error *ret_error);
/* Opens the directory of a kind, or with `parent` the one for what it has snapshots of. Negative
 * errno. */
int volume_place_open_directory(Pool *pool, VolumeKind kind, const char *parent, bool make);
/* Opens what has that name in there, to see whether it is there. Negative errno. */
int volume_place_find(const VolumePlace *place, const char *name);
/* Opens the root directory of the volume of that name. Negative errno. */
int volume_place_open(Pool *pool, const VolumePlace *place, const char *name, bool read_only);
/* Gives another name, unless there is one of it. 0 or -errno. */
int volume_place_rename(int from_fd, const char *from, int to_fd, const char *to);
int volume_place_sync(int fd);
/* Makes the unfinished volume a copy of what is behind `source_fd`, and opens it; leaves nothing
 * when it fails. -errno, with or without a message. */
int volume_place_clone(Pool *pool, int source_fd, const VolumePlace *place, int *ret_fd,
                       Error *ret_error);

/* "Cannot VERB TITLE "NAME" in storage pool "POOL": why"; returns -errno of the error. */
int volume_error(Pool *pool, VolumeKind kind, const char *verb, const char *name, int r,
                 Error *ret_error);
int volume_error_missing(Pool *pool, VolumeKind kind, const char *name, Error *ret_error);
int volume_error_name(VolumeKind kind, const char *name, Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumePlace, volume_place_done)
