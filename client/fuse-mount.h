/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mounting with the user's own rights: fusermount3 mounts, and gives the fd through which the
 * kernel asks for files, which is the service's to answer. A guard unmounts when we end, however we
 * end: a process of its own, since that of fusermount3 (auto_unmount) does not work for a mount
 * that is its user's alone.
 */

#include <sys/types.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct MountGuard {
        pid_t pid;
        int pipe;
} MountGuard;

#define MOUNT_GUARD_INIT ((MountGuard) { .pid = -1, .pipe = -EBADF })

/* Before there is a connection or a mount, of which it would have a copy. */
int mount_guard_start(MountGuard *guard, const char *target, Error *ret_error);
/* There is nothing (of ours) to unmount. */
void mount_guard_dismiss(MountGuard *guard);
/* Unmounts, unless dismissed, and returns once nothing is mounted any more. What is open stays
 * so. */
void mount_guard_done(MountGuard *guard);

/* Mounts, for the user alone, and gives the fd to serve. `name` shows in the table of mounts. */
int fuse_mount(const char *name, const char *target, int *ret_fd, Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MountGuard, mount_guard_done)
