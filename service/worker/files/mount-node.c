/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount-node.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

/* openat2() gives -EAGAIN when a rename elsewhere made its answer unsure. */
#define RETRY_MAX 64

struct Node {
        uint64_t id;
        Node *parent;
        char *name;
        dev_t device;
        ino_t inode;
        mode_t type;
        uint64_t held;  /* by the kernel */
        size_t children;
        bool current;   /* it is what `names` has under its name */
        int fd;         /* O_PATH, -EBADF while it is not open */
        GList open_link, leaf_link; /* the first is what was used last */
        bool is_leaf;
};

struct NodeTable {
        GHashTable *ids;   /* of Node, by id */
        GHashTable *names; /* of Node, by parent and name */
        GQueue open, guests; /* of what has an fd: on the file system of the root, on others */
        GQueue leaves;
        Node *root;
        uint64_t last_id;
};

static guint name_hash(gconstpointer p) {
        const Node *node = p;

        return g_str_hash(node->name) * 31 + (node->parent ? g_int64_hash(&node->parent->id) : 0);
}

static gboolean name_equal(gconstpointer p, gconstpointer q) {
        const Node *a = p, *b = q;

        return a->parent == b->parent && g_str_equal(a->name, b->name);
}

/* --- fds --- */

static GQueue *open_queue(NodeTable *table, const Node *node) {
        return node->device == table->root->device ? &table->open : &table->guests;
}

static void node_close(NodeTable *table, Node *node) {
        if (node->fd < 0)
                return;
        node->fd = fd_close(node->fd);
        if (node->parent)
                g_queue_unlink(open_queue(table, node), &node->open_link);
}

/* That of the root is none of those that go. */
static void node_keep_fd(NodeTable *table, Node *node, int fd) {
        GQueue *queue = open_queue(table, node);

        if (g_queue_get_length(queue) >= NODE_FDS_MAX / 2)
                node_close(table, g_queue_peek_tail(queue));
        node->fd = fd;
        g_queue_push_head_link(queue, &node->open_link);
}

void node_table_rest(NodeTable *table) {
        Node *guest;

        while ((guest = g_queue_peek_tail(&table->guests)))
                node_close(table, guest);
}

static int open_entry(int dir_fd, const char *name, struct stat *ret) {
        struct open_how how = {
                .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
        };
        _cleanup_close_ int fd = -EBADF;

        if (!path_is_component(name))
                return -EINVAL;
        for (int i = 0; fd < 0 && i < RETRY_MAX; i++) {
                fd = (int) syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
                if (fd < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        if (fd < 0)
                return -EAGAIN;
        return fstat(fd, ret) < 0 ? -errno : TAKE_FD(fd);
}

static bool node_is(const Node *node, const struct stat *st) {
        return node->device == st->st_dev && node->inode == st->st_ino &&
               node->type == (st->st_mode & S_IFMT);
}

static int node_reopen(NodeTable *table, Node *node) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = open_entry(node->parent->fd, node->name, &st);
        if (fd < 0)
                return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
        if (!node_is(node, &st))
                return -ESTALE;
        node_keep_fd(table, node, TAKE_FD(fd));
        return 0;
}

static void node_touch(NodeTable *table, Node *node) {
        if (node->fd >= 0 && node->parent) {
                g_queue_unlink(open_queue(table, node), &node->open_link);
                g_queue_push_head_link(open_queue(table, node), &node->open_link);
        }
        if (node->is_leaf) {
                g_queue_unlink(&table->leaves, &node->leaf_link);
                g_queue_push_head_link(&table->leaves, &node->leaf_link);
        }
}

int node_open(NodeTable *table, Node *node) {
        g_autoptr(GPtrArray) closed = g_ptr_array_new();
        Node *n;

        for (n = node; n->fd < 0; n = n->parent)
                g_ptr_array_add(closed, n);
        node_touch(table, n);
        for (guint i = closed->len; i > 0; i--) {
                int r = node_reopen(table, g_ptr_array_index(closed, i - 1));

                if (r < 0)
                        return r;
        }
        node_touch(table, node);
        return node->fd;
}

/* --- their life --- */

static void node_set_leaf(NodeTable *table, Node *node, bool leaf) {
        if (!node->parent || node->is_leaf == leaf)
                return;
        node->is_leaf = leaf;
        if (leaf)
                g_queue_push_head_link(&table->leaves, &node->leaf_link);
        else
                g_queue_unlink(&table->leaves, &node->leaf_link);
}

static void node_unname(NodeTable *table, Node *node) {
        if (node->current)
                (void) g_hash_table_remove(table->names, node);
        node->current = false;
}

static void node_free(NodeTable *table, Node *node) {
        node_set_leaf(table, node, false);
        node_unname(table, node);
        node_close(table, node);
        (void) g_hash_table_remove(table->ids, &node->id);
        g_free(node->name);
        g_free(node);
}

/* Those above it that only stayed for its sake go too. */
static void node_drop(NodeTable *table, Node *node) {
        while (node->parent && node->children == 0) {
                Node *parent = node->parent;

                node_free(table, node);
                if (--parent->children > 0)
                        return;
                node_set_leaf(table, parent, true);
                if (parent->held > 0)
                        return;
                node = parent;
        }
}

static Node *node_new(NodeTable *table, Node *parent, const char *name, const struct stat *st) {
        Node *node = g_new(Node, 1);

        *node = (Node) {
                .id = ++table->last_id,
                .parent = parent,
                .name = g_strdup(name),
                .device = st->st_dev,
                .inode = st->st_ino,
                .type = st->st_mode & S_IFMT,
                .fd = -EBADF,
        };
        node->open_link.data = node->leaf_link.data = node;
        (void) g_hash_table_insert(table->ids, &node->id, node);
        if (parent) {
                node_set_leaf(table, parent, false);
                parent->children++;
                node_set_leaf(table, node, true);
        }
        return node;
}

NodeTable *node_table_new(int root_fd) {
        NodeTable *table = g_new0(NodeTable, 1);
        struct stat st;

        table->ids = g_hash_table_new(g_int64_hash, g_int64_equal);
        table->names = g_hash_table_new(name_hash, name_equal);
        if (fstat(root_fd, &st) < 0)
                st = (struct stat) { .st_mode = S_IFDIR };
        table->root = node_new(table, NULL, "", &st);
        g_assert(table->root->id == NODE_ROOT_ID);
        table->root->fd = root_fd;
        return table;
}

NodeTable *node_table_free(NodeTable *table) {
        GHashTableIter iter;
        gpointer value;

        if (!table)
                return NULL;
        g_hash_table_iter_init(&iter, table->ids);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Node *node = value;

                fd_close(node->fd);
                g_free(node->name);
                g_free(node);
        }
        g_hash_table_unref(table->names);
        g_hash_table_unref(table->ids);
        g_free(table);
        return NULL;
}

/* --- names --- */

Node *node_find(NodeTable *table, uint64_t id) {
        return g_hash_table_lookup(table->ids, &id);
}

uint64_t node_get_id(const Node *node) {
        return node->id;
}

const Node *node_get_parent(const Node *node) {
        return node->parent;
}

unsigned node_get_depth(const Node *node) {
        unsigned depth = 0;

        for (; node->parent; node = node->parent)
                depth++;
        return depth;
}

static Node *find_name(NodeTable *table, const Node *parent, const char *name) {
        const Node key = { .parent = (Node *) parent, .name = (char *) name };

        return g_hash_table_lookup(table->names, &key);
}

static void node_name(NodeTable *table, Node *node) {
        Node *old = find_name(table, node->parent, node->name);

        if (old)
                node_unname(table, old);
        node->current = true;
        (void) g_hash_table_add(table->names, node);
}

/* Room for one more below `parent`, which is held meanwhile: it is not what goes. */
static int make_room(NodeTable *table, Node *parent) {
        int r = 0;

        parent->held++;
        while (r >= 0 && g_hash_table_size(table->ids) >= NODES_MAX) {
                Node *oldest = g_queue_peek_tail(&table->leaves);

                if (!oldest || oldest == parent)
                        r = -ENFILE;
                else
                        node_drop(table, oldest);
        }
        parent->held--;
        return r;
}

int node_lookup(NodeTable *table, Node *parent, const char *name, Node **ret,
                struct stat *ret_stat) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        Node *node;
        int dir_fd, r;

        dir_fd = node_open(table, parent);
        if (dir_fd < 0)
                return dir_fd;
        fd = open_entry(dir_fd, name, &st);
        if (fd < 0) {
                node_removed(table, parent, name);
                return fd;
        }
        node = find_name(table, parent, name);
        if (!node || !node_is(node, &st)) {
                r = node_get_depth(parent) >= NODE_DEPTH_MAX ? -ENAMETOOLONG
                                                             : make_room(table, parent);
                if (r < 0)
                        return r;
                node = node_new(table, parent, name, &st);
                node_name(table, node);
        }
        if (node->fd < 0)
                node_keep_fd(table, node, TAKE_FD(fd));
        node_touch(table, node);
        node->held++;
        *ret = node;
        *ret_stat = st;
        return 0;
}

void node_forget(NodeTable *table, uint64_t id, uint64_t n) {
        Node *node = node_find(table, id);

        if (!node || !node->parent)
                return;
        node->held -= MIN(n, node->held);
        if (node->held == 0)
                node_drop(table, node);
}

void node_removed(NodeTable *table, const Node *parent, const char *name) {
        Node *node = find_name(table, parent, name);

        if (node)
                node_unname(table, node);
}

bool node_may_move(NodeTable *table, const Node *from, const char *name, const Node *to) {
        const Node *node = find_name(table, from, name);

        for (; node && to; to = to->parent)
                if (to == node)
                        return false;
        return true;
}

void node_moved(NodeTable *table, Node *from, const char *name, Node *to, const char *new_name) {
        Node *node = find_name(table, from, name);

        node_removed(table, to, new_name);
        if (!node || (from == to && g_str_equal(name, new_name)))
                return;
        node_unname(table, node);
        g_free(node->name);
        node->name = g_strdup(new_name);
        node->parent = to;
        node_set_leaf(table, to, false);
        to->children++;
        node_name(table, node);
        /* It may have been the last one there, and nobody may hold the directory any more. */
        if (--from->children == 0) {
                node_set_leaf(table, from, true);
                if (from->held == 0)
                        node_drop(table, from);
        }
}
