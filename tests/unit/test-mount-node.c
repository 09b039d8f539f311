/* SPDX-License-Identifier: Apache-2.0 */

/* Nodes of a mounted tree: what is held of them, and numbers that nobody was given. */

#include "service/worker/files/mount-node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "tests/unit/test.h"

typedef struct Tree {
        char *path;
        int fd;
        NodeTable *table;
        Node *root;
} Tree;

static void tree_done(Tree *tree) {
        tree->table = node_table_free(tree->table);
        (void) path_remove_tree(AT_FDCWD, tree->path);
        tree->fd = fd_close(tree->fd);
        g_free(tree->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_done)

static Tree tree_new(void) {
        g_autofree char *base = g_strdup("nodes-XXXXXX");
        Tree tree = { .fd = -EBADF };

        g_assert_cmpint(chdir(g_get_tmp_dir()), ==, 0);
        g_assert_nonnull(g_mkdtemp(base));
        tree.path = TAKE_PTR(base);
        tree.fd = open(tree.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(tree.fd, >=, 0);
        tree.table = node_table_new(fcntl(tree.fd, F_DUPFD_CLOEXEC, 3));
        tree.root = node_find(tree.table, NODE_ROOT_ID);
        g_assert_nonnull(tree.root);
        return tree;
}

static void make_file(const Tree *tree, const char *path) {
        _cleanup_close_ int fd = openat(tree->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        g_assert_cmpint(fd, >=, 0);
}

static Node *look_up(Tree *tree, Node *parent, const char *name) {
        struct stat st;
        Node *node;

        g_assert_cmpint(node_lookup(tree->table, parent, name, &node, &st), ==, 0);
        return node;
}

TEST(a_name_is_a_node) {
        g_auto(Tree) tree = tree_new();
        uint64_t first, second;
        struct stat st;
        Node *node;

        make_file(&tree, "a");
        first = node_get_id(look_up(&tree, tree.root, "a"));
        g_assert_cmpuint(node_get_id(look_up(&tree, tree.root, "a")), ==, first);
        /* Another name of the same file, another file of the same name. */
        g_assert_cmpint(linkat(tree.fd, "a", tree.fd, "b", 0), ==, 0);
        second = node_get_id(look_up(&tree, tree.root, "b"));
        g_assert_cmpuint(second, !=, first);
        g_assert_cmpint(unlinkat(tree.fd, "a", 0), ==, 0);
        make_file(&tree, "c");
        g_assert_cmpint(renameat(tree.fd, "c", tree.fd, "a"), ==, 0);
        g_assert_cmpuint(node_get_id(look_up(&tree, tree.root, "a")), !=, first);
        for (size_t i = 0; i < 3; i++) {
                static const char *const bad[] = { "..", ".", "x/y" };

                g_assert_cmpint(node_lookup(tree.table, tree.root, bad[i], &node, &st), ==,
                                -EINVAL);
        }
        /* Held twice: forgotten after two, and once more does no harm. */
        g_assert_nonnull(node_find(tree.table, first));
        node_forget(tree.table, first, 1);
        g_assert_nonnull(node_find(tree.table, first));
        node_forget(tree.table, first, 1);
        g_assert_null(node_find(tree.table, first));
        node_forget(tree.table, first, UINT64_MAX);
        node_forget(tree.table, NODE_ROOT_ID, UINT64_MAX);
        node_forget(tree.table, 12345, 1);
        g_assert_true(node_find(tree.table, NODE_ROOT_ID) == tree.root);
}

TEST(directories_stay_for_what_is_in_them) {
        g_auto(Tree) tree = tree_new();
        uint64_t outer, inner, file;
        Node *node;

        g_assert_cmpint(mkdirat(tree.fd, "outer", 0700), ==, 0);
        g_assert_cmpint(mkdirat(tree.fd, "outer/inner", 0700), ==, 0);
        make_file(&tree, "outer/inner/file");
        node = look_up(&tree, tree.root, "outer");
        outer = node_get_id(node);
        node = look_up(&tree, node, "inner");
        inner = node_get_id(node);
        node = look_up(&tree, node, "file");
        file = node_get_id(node);
        g_assert_cmpuint(node_get_depth(node), ==, 3);
        node_forget(tree.table, outer, 1);
        node_forget(tree.table, inner, 1);
        g_assert_nonnull(node_find(tree.table, outer));
        node_forget(tree.table, file, 1);
        g_assert_null(node_find(tree.table, inner));
        g_assert_null(node_find(tree.table, outer));
}

TEST(renames_move_nodes) {
        g_auto(Tree) tree = tree_new();
        Node *a, *b, *moved;

        g_assert_cmpint(mkdirat(tree.fd, "a", 0700), ==, 0);
        g_assert_cmpint(mkdirat(tree.fd, "a/b", 0700), ==, 0);
        make_file(&tree, "a/b/file");
        a = look_up(&tree, tree.root, "a");
        b = look_up(&tree, a, "b");
        g_assert_false(node_may_move(tree.table, tree.root, "a", b));
        g_assert_false(node_may_move(tree.table, tree.root, "a", a));
        g_assert_true(node_may_move(tree.table, a, "b", tree.root));
        moved = look_up(&tree, b, "file");
        g_assert_cmpint(renameat(tree.fd, "a/b", tree.fd, "c"), ==, 0);
        node_moved(tree.table, a, "b", tree.root, "c");
        g_assert_cmpuint(node_get_depth(moved), ==, 2);
        g_assert_true(look_up(&tree, tree.root, "c") == b);
        g_assert_cmpint(node_open(tree.table, moved), >=, 0);
}

static size_t count_fds(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        size_t n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}

/* All are looked up and none forgotten: what is held has a bound, and comes back when asked for. */
TEST(what_is_held_has_a_bound) {
        g_auto(Tree) tree = tree_new();
        size_t before = count_fds();
        Node *directory, *node;
        uint64_t first = 0;

        g_assert_cmpint(mkdirat(tree.fd, "d", 0700), ==, 0);
        directory = look_up(&tree, tree.root, "d");
        for (unsigned i = 0; i < NODES_MAX + 2 * NODE_FDS_MAX; i++) {
                g_autofree char *name = g_strdup_printf("d/%u", i);

                make_file(&tree, name);
                node = look_up(&tree, directory, name + 2);
                if (i == 0)
                        first = node_get_id(node);
                if (i == NODE_FDS_MAX + 10)
                        g_assert_cmpint(node_open(tree.table, node_find(tree.table, first)), >=, 0);
        }
        g_assert_cmpuint(count_fds(), <=, before + NODE_FDS_MAX / 2 + 1);
        g_assert_null(node_find(tree.table, first));
        g_assert_cmpint(node_open(tree.table, look_up(&tree, directory, "0")), >=, 0);
}

/* What a name leads to is not what was looked up any more. */
TEST(another_file_is_stale) {
        g_auto(Tree) tree = tree_new();
        uint64_t id;

        make_file(&tree, "victim");
        id = node_get_id(look_up(&tree, tree.root, "victim"));
        for (unsigned i = 0; i < NODE_FDS_MAX / 2 + 1; i++) {
                g_autofree char *name = g_strdup_printf("%u", i);

                make_file(&tree, name);
                (void) look_up(&tree, tree.root, name);
        }
        g_assert_cmpint(symlinkat("/etc/passwd", tree.fd, "link"), ==, 0);
        g_assert_cmpint(renameat(tree.fd, "link", tree.fd, "victim"), ==, 0);
        g_assert_cmpint(node_open(tree.table, node_find(tree.table, id)), ==, -ESTALE);
        g_assert_cmpint(unlinkat(tree.fd, "victim", 0), ==, 0);
        g_assert_cmpint(node_open(tree.table, node_find(tree.table, id)), ==, -ESTALE);
}

TEST_MAIN()
