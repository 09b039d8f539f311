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

#include "service/model/idmap.h"
#include "service/util/error.h"

/* Fills the empty directory `target_fd` with a copy of the tree: types, owners, modes, times,
 * extended attributes (capabilities and ACLs among them), hard links, holes. Shares the data where
 * the filesystem can. Modes and times of the two directories themselves are copied too. */
int tree_copy(int source_fd, int target_fd, Error *ret_error);

/* Makes the owners of all files, and the users and groups of their ACLs, those that the map has for
 * them, and their capabilities those of the user namespace whose root is the map's. All ids have to
 * be in the map. What an error leaves behind is shifted in part: throw it away. */
int tree_shift(int root_fd, const IdMap *map, Error *ret_error);

/* Each level holds fds, and no honest tree is this deep. */
#define TREE_DEPTH_MAX 256
