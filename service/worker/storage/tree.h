/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Work on a whole root filesystem, file by file: what storage drivers and filesystems without the
 * better ways (snapshots, idmapped mounts) need. Nothing is found by path: each entry is opened
 * once, from the fd of its directory, and looked at and changed through that fd, so that a tree
 * whose owner rearranges it meanwhile leads nowhere else. A mount inside the tree is an error.
 *
 * Errors name the file, relative to the tree's root.
 */

#include <stdint.h>

#include "service/util/error.h"

/* Fills the empty directory `target_fd` with a copy of the tree: types, owners, modes, times,
 * extended attributes (capabilities and ACLs among them), hard links, holes. Shares the data where
 * the filesystem can. Modes and times of the two directories themselves are copied too. */
int tree_copy(int source_fd, int target_fd, Error *ret_error);

/* Adds `base` to the owners of all files, to the users and groups of their ACLs, and makes their
 * capabilities those of the user namespace whose root is `base`. All ids are below TREE_SHIFT_SIZE
 * before, and `base` is not. What an error leaves behind is shifted in part: throw it away. */
#define TREE_SHIFT_SIZE UINT32_C(65536)
int tree_shift(int root_fd, uint32_t base, Error *ret_error);

/* Each level holds fds, and no honest tree is this deep. */
#define TREE_DEPTH_MAX 256
