/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mounts of pools, made on fds so that nothing is looked up twice. Every mount is nosuid and nodev:
 * the setuid programs and device nodes of containers are of no use through it. Functions return
 * 0 or -errno.
 */

#include <stdbool.h>

/* Mounts the directory `source_fd` (without what is mounted below it) on the directory
 * `target_fd`. */
int mount_bind(int source_fd, int target_fd);
/* Mounts a block device that holds such a filesystem ("btrfs"), noatime. */
int mount_device(const char *filesystem, const char *device, int target_fd);
/* Positive if the directory is the root of a mount. */
int mount_is_root(int fd);
/* Ends every mount on DIR/NAME; 0 also when there is none. */
int mount_end(int dir_fd, const char *name);
/* Positive if the filesystem of `fd` can be mounted idmapped: tries it on a copy of the mount that
 * nobody sees. */
int mount_can_idmap(int fd);
