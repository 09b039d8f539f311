/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Volumes of pools of driver lvm, where they are found and how they are mounted. Such a pool is a
 * volume group with
 *
 *   a small volume "berth-tree", a file system that is mounted at the pool's path. It has the
 *   directories that pools of every driver have (see service/worker/operations.h), the copies of
 *   records, and a file "pool" (ThinPool). It is outside the thin pool, so that it has room when
 *   that is full.
 *   a thin pool, and in it a volume with a file system for each volume of berth's. Its name is made
 *   up and never changes; it is in the file "volume" in the directory that bears the name of
 *   berth's volume (ThinVolume). Renaming is renaming the directory, all of it or nothing.
 *
 * The file is written before the volume is made and goes after it, so none is ever lost.
 *
 * Nobody but root may write to the tree. The file systems of volumes are written to by containers,
 * through the kernel alone. They are mounted nosuid and nodev, while they are used and nowhere in
 * the host's tree: detached, or in a mount namespace of one process and its children. The kernel
 * ends such a mount with its last user, however that ends; it is one file system for all of them.
 *
 * Functions return 0 or -errno unless said otherwise.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define THIN_TREE "berth-tree"

/* What the file "pool" in the tree says: what new volumes are like, and how all are mounted. */
typedef struct ThinPool {
        char *name;       /* of the thin pool, in its group */
        char *filesystem; /* "ext4" or "xfs" */
        char *options;    /* for mounting, separated by commas; may be "" */
        uint64_t size;    /* bytes */
} ThinPool;

/* What the file "volume" says. */
typedef struct ThinVolume {
        char *name, *filesystem;
} ThinVolume;

void thin_pool_done(ThinPool *pool);
void thin_volume_done(ThinVolume *volume);

/* `root_fd` is the root directory of a tree. The file is on disk when it returns. */
int thin_pool_write(int root_fd, const ThinPool *pool);
/* `dir_fd`: any directory of the tree down to those that hold volumes. */
int thin_pool_read(int dir_fd, ThinPool *ret);

/* Makes the directory DIR/NAME that says so; -EEXIST. On disk when it returns. */
int thin_volume_write(int dir_fd, const char *name, const ThinVolume *volume);
/* -ENOENT where there is no such directory, -ENODATA where it is that of no volume. */
int thin_volume_read(int dir_fd, const char *name, ThinVolume *ret);

/* Which volume of which group the file system of `fd` is on. -ENODEV where it is on none. */
int thin_volume_identify(int fd, char **ret_group, char **ret_volume);
/* The same of the name that the kernel has for its device: "GROUP-VOLUME", where a dash of either
 * is doubled. */
int thin_volume_split_name(const char *text, char **ret_group, char **ret_volume);
/* "/dev/GROUP/VOLUME" */
char *thin_volume_device(const char *group, const char *volume);

/* A detached mount of the volume DIR/NAME. Returns the fd. */
int thin_volume_mount(int dir_fd, const char *name, bool read_only);
/* Another detached mount of the volume that is mounted at `fd`, in whichever way; -ENODEV where it
 * is none of a thin pool's. Returns the fd. */
int thin_volume_mount_again(int fd);
/* Where `path` is that of a volume in the tree of a pool, mounts it there, for this process and its
 * children alone. Of any other path nothing. */
int thin_volume_show(const char *path);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ThinPool, thin_pool_done)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ThinVolume, thin_volume_done)
