/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/tree.h"

#include <limits.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/entry-name.h"

/* As many as the kernel follows. */
#define SYMLINKS_MAX 40

struct Tree {
        TreeNode *root;
};

static void node_destroy(gpointer p) {
        TreeNode *node = p;

        g_free(node->target);
        g_clear_pointer(&node->children, g_hash_table_unref);
        g_free(node);
}

static TreeNode *node_new(TreeKind kind) {
        TreeNode *node = g_new(TreeNode, 1);

        *node = (TreeNode) { .kind = kind };
        return node;
}

static TreeNode *node_get_child(const TreeNode *node, const char *name) {
        return node->children ? g_hash_table_lookup(node->children, name) : NULL;
}

/* Takes `child` over. */
static TreeNode *node_add_child(TreeNode *node, const char *name, TreeNode *child) {
        if (!node->children)
                node->children =
                        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, node_destroy);
        g_hash_table_insert(node->children, g_strdup(name), child);
        return child;
}

Tree *tree_new(void) {
        Tree *tree = g_new(Tree, 1);

        *tree = (Tree) { .root = node_new(TREE_DIRECTORY) };
        tree->root->is_implied = TRUE;
        return tree;
}

Tree *tree_free(Tree *tree) {
        if (!tree)
                return NULL;
        node_destroy(tree->root);
        g_free(tree);
        return NULL;
}

/* Finds the directory that holds `name`, making up those that no entry has named yet, and the last
 * component. */
static int tree_enter(Tree *tree, const char *name, TreeNode **ret_parent, const char **ret_last,
                      Error *ret_error) {
        TreeNode *node = tree->root;
        const char *slash;

        for (const char *rest = name;; rest = slash + 1) {
                char component[NAME_MAX + 1];
                TreeNode *child;
                size_t n;

                slash = strchr(rest, '/');
                if (!slash) {
                        *ret_parent = node;
                        *ret_last = rest;
                        return 0;
                }
                n = (size_t) (slash - rest);
                g_assert(n < sizeof(component));
                memcpy(component, rest, n);
                component[n] = '\0';

                child = node_get_child(node, component);
                if (child && child->kind == TREE_SYMLINK)
                        return entry_name_error(name, "it leads through a symbolic link of the "
                                                "same archive", ret_error);
                if (child && child->kind != TREE_DIRECTORY)
                        return entry_name_error(name, "it is below something that is not a "
                                                "directory", ret_error);
                if (!child) {
                        child = node_add_child(node, component, node_new(TREE_DIRECTORY));
                        child->is_implied = TRUE;
                }
                node = child;
        }
}

int tree_add(Tree *tree, const char *name, TreeKind kind, TreeNode **ret, Error *ret_error) {
        TreeNode *parent, *node;
        const char *last;
        int r;

        if (name[0] == '\0') {
                g_assert(kind == TREE_DIRECTORY);
                node = tree->root;
        } else {
                r = tree_enter(tree, name, &parent, &last, ret_error);
                if (r < 0)
                        return r;
                node = node_get_child(parent, last);
                if (!node) {
                        *ret = node_add_child(parent, last, node_new(kind));
                        return 0;
                }
        }
        if (kind != TREE_DIRECTORY || node->kind != TREE_DIRECTORY)
                return entry_name_error(name, "there is another entry of that name", ret_error);
        node->is_implied = FALSE;
        *ret = node;
        return 0;
}

int tree_add_link(Tree *tree, const char *name, const char *target, TreeNode **ret,
                  Error *ret_error) {
        TreeNode *source = tree_get(tree, target), *node;
        int r;

        if (!source)
                return entry_name_error(name, "it is a hard link to an entry that has not come "
                                        "before it", ret_error);
        if (source->kind == TREE_DIRECTORY)
                return entry_name_error(name, "it is a hard link to a directory", ret_error);
        r = tree_add(tree, name, source->kind, &node, ret_error);
        if (r < 0)
                return r;
        node->target = g_strdup(source->target);
        node->architecture = source->architecture;
        *ret = node;
        return 0;
}

TreeNode *tree_get(Tree *tree, const char *name) {
        g_auto(GStrv) components = NULL;
        TreeNode *node = tree->root;

        if (name[0] == '\0')
                return node;
        components = g_strsplit(name, "/", -1);
        for (char **c = components; *c && node; c++)
                node = node_get_child(node, *c);
        return node;
}

/* Puts the components of `path` on the stack of those still to walk, first on top. */
static void push_path(GPtrArray *todo, const char *path) {
        g_auto(GStrv) components = g_strsplit(path, "/", -1);

        for (guint i = g_strv_length(components); i > 0; i--)
                g_ptr_array_add(todo, TAKE_PTR(components[i - 1]));
}

TreeNode *tree_resolve(Tree *tree, const char *path) {
        g_autoptr(GPtrArray) todo = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) above = g_ptr_array_new(); /* the way back for ".." */
        TreeNode *node = tree->root;
        unsigned links = 0;

        push_path(todo, path);
        while (todo->len > 0) {
                g_autofree char *name = g_ptr_array_steal_index(todo, todo->len - 1);
                TreeNode *child;

                if (name[0] == '\0' || g_str_equal(name, "."))
                        continue;
                if (g_str_equal(name, "..")) {
                        if (above->len > 0)
                                node = g_ptr_array_steal_index(above, above->len - 1);
                        continue;
                }
                child = node_get_child(node, name);
                if (!child)
                        return NULL;
                if (child->kind != TREE_SYMLINK) {
                        g_ptr_array_add(above, node);
                        node = child;
                        continue;
                }
                if (++links > SYMLINKS_MAX)
                        return NULL;
                if (child->target[0] == '/') {
                        node = tree->root;
                        g_ptr_array_set_size(above, 0);
                }
                push_path(todo, child->target);
        }
        return node;
}
