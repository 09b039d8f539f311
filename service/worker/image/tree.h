/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The names of an archive as the tree they make, in memory. It is what decides whether the next
 * entry may be there: its parents must be real directories of the archive (one that is not listed
 * is made up), and nothing but a directory may be listed twice. So the verdict on an archive does
 * not depend on a filesystem, nor on whether it is unpacked at all.
 *
 * Names are in the form of entry_name_parse().
 */

#include <glib.h>

#include "service/util/error.h"

typedef struct Tree Tree;
typedef struct TreeNode TreeNode;

typedef enum TreeKind {
        TREE_DIRECTORY,
        TREE_FILE,
        TREE_SYMLINK,
        TREE_OTHER,   /* fifo */
        TREE_SKIPPED, /* listed, but left out of the volume */
} TreeKind;

struct TreeNode {
        TreeKind kind;
        gboolean is_implied;      /* directory: seen only in the names of others so far */
        char *target;             /* symbolic link: where it points, as the archive has it */
        const char *architecture; /* file: what its ELF header says, static, or NULL */
        GHashTable *children;     /* directory: name to TreeNode, made with the first */
};

Tree *tree_new(void);
Tree *tree_free(Tree *tree);

/* Adds an entry. The node stays the tree's. A directory that was there already is returned again,
 * once as new with is_implied cleared. */
int tree_add(Tree *tree, const char *name, TreeKind kind, TreeNode **ret, Error *ret_error);
/* Adds `name` as another name of `target`, which must be there and not a directory. */
int tree_add_link(Tree *tree, const char *name, const char *target, TreeNode **ret,
                  Error *ret_error);
TreeNode *tree_get(Tree *tree, const char *name);
/* Follows `path` the way a process whose root is this tree would, through symbolic links, and
 * returns what is there or NULL. */
TreeNode *tree_resolve(Tree *tree, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)
