/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the kernel knows of a mounted tree by number.
 *
 * A node is one name in one directory, not one inode: each stands exactly where the kernel's dentry
 * stands, so how deep it is below the mount is known for certain, whatever the container renames
 * (service/worker/files/mount-link.h counts on it). What was found under the name is pinned by
 * device and inode: when the name leads to something else the old number is stale (-ESTALE) and the
 * kernel looks it up anew.
 *
 * Numbers come back from whoever holds the fd of the mount, so none of them is believed: one that
 * is not known is stale. Neither the kernel's cache nor the caller decides how much is held here:
 * of NODES_MAX nodes the leaf that was not used for longest goes, and of NODE_FDS_MAX fds likewise;
 * they are opened again below the nearest directory that is open.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <glib.h>

#define NODES_MAX 32768U
#define NODE_FDS_MAX 512U
/* Directories below each other. */
#define NODE_DEPTH_MAX 1024U
#define NODE_ROOT_ID 1U

typedef struct Node Node;
typedef struct NodeTable NodeTable;

/* `root_fd` (O_PATH of the directory that is mounted) is the table's from then on. */
NodeTable *node_table_new(int root_fd);
NodeTable *node_table_free(NodeTable *table);
/* To be called when nothing is done for a while: closes what would keep the container from
 * unmounting what it has mounted below the root. */
void node_table_rest(NodeTable *table);

/* NULL where there is none (any more). Nodes live until the next call that may make one. */
Node *node_find(NodeTable *table, uint64_t id);
uint64_t node_get_id(const Node *node);
/* The directory that it is in; NULL for the root. */
const Node *node_get_parent(const Node *node);
/* 0 for the root. */
unsigned node_get_depth(const Node *node);
/* Returns an fd (O_PATH) of what the node is, or -errno. It is the table's and stays open until the
 * next call of this module. */
int node_open(NodeTable *table, Node *node);

/* Finds what has that name in the directory; the kernel holds it once more from then on. */
int node_lookup(NodeTable *table, Node *parent, const char *name, Node **ret,
                struct stat *ret_stat);
/* The kernel holds it that many times less. */
void node_forget(NodeTable *table, uint64_t id, uint64_t n);
/* The name leads to nothing any more. */
void node_removed(NodeTable *table, const Node *parent, const char *name);
/* Whether a rename would put a directory below itself. */
bool node_may_move(NodeTable *table, const Node *from, const char *name, const Node *to);
/* What had the first name has the second one, and what had that has none. */
void node_moved(NodeTable *table, Node *from, const char *name, Node *to, const char *new_name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeTable, node_table_free)
