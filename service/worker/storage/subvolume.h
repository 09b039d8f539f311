/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Subvolumes inside a btrfs subvolume, by number. Where a container has put them is its own
 * choice: the path may be longer than the kernel takes, or lead through a directory that becomes
 * a link between two looks. So they are read from the root tree, which names a subvolume by its
 * id, the id of its parent, the inode of the directory that holds it, and its name in there; and
 * directories are opened by file handle, from subvolume id and inode.
 *
 * Needs CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH. `fd` is any directory of the filesystem.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

typedef struct Subvolume {
        uint64_t id;
        uint64_t parent_id;
        uint64_t directory; /* inode in the parent */
        bool read_only;
        char *name;         /* in that directory */
} Subvolume;

/* Inode number of the root directory of every subvolume. */
#define SUBVOLUME_ROOT_INODE UINT64_C(256)

void subvolume_free(Subvolume *subvolume);
/* All subvolumes below the one that `fd` is the root of, at any depth, parents before children. */
int subvolume_list_nested(int fd, GPtrArray **ret);
/* Opens a directory, as `inode` of the subvolume `id`. Returns the fd; -ENOENT where there is no
 * such inode. */
int subvolume_open_directory(int fd, uint64_t id, uint64_t inode);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subvolume, subvolume_free)
