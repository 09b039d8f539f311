/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sftp/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

/* As the kernel has it. */
#define LINKS_MAX 40

/* A name that is being resolved. */
typedef struct Walk {
        int root;
        GArray *directories;  /* fds, from the root's child to where we are */
        GPtrArray *pending;   /* components, the next one last */
        unsigned links;
} Walk;

static void walk_done(Walk *walk) {
        for (unsigned i = 0; i < walk->directories->len; i++)
                fd_close(g_array_index(walk->directories, int, i));
        g_array_unref(walk->directories);
        g_ptr_array_unref(walk->pending);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_done)

static int walk_at(const Walk *walk) {
        unsigned n = walk->directories->len;

        return n > 0 ? g_array_index(walk->directories, int, n - 1) : walk->root;
}

static void walk_up(Walk *walk) {
        unsigned n = walk->directories->len;

        if (n == 0)
                return;
        fd_close(g_array_index(walk->directories, int, n - 1));
        g_array_set_size(walk->directories, n - 1);
}

/* What has nothing to say is not kept, so that the last one is the last. */
static void walk_add(Walk *walk, const char *path) {
        g_auto(GStrv) components = g_strsplit(path, "/", -1);

        if (path[0] == '/')
                while (walk->directories->len > 0)
                        walk_up(walk);
        for (size_t i = g_strv_length(components); i > 0; i--)
                if (*components[i - 1] && !g_str_equal(components[i - 1], "."))
                        g_ptr_array_add(walk->pending, g_strdup(components[i - 1]));
}

static int walk_link(Walk *walk, int fd) {
        g_autofree char *target = g_malloc(PATH_MAX);
        ssize_t n = readlinkat(fd, "", target, PATH_MAX - 1);

        if (n < 0)
                return -errno;
        if (++walk->links > LINKS_MAX)
                return -ELOOP;
        target[n] = '\0';
        walk_add(walk, target);
        return 0;
}

/* Returns 1 when `name` is what all leads to, 0 when there is more to go. */
static int walk_step(Walk *walk, const char *name, bool follow) {
        bool is_last = walk->pending->len == 0;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (g_str_equal(name, "..")) {
                walk_up(walk);
                return 0;
        }
        if (is_last && !follow)
                return 1;
        fd = openat(walk_at(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return is_last && errno == ENOENT ? 1 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode)) {
                r = walk_link(walk, fd);
                return r < 0 ? r : 0;
        }
        if (!S_ISDIR(st.st_mode))
                return is_last ? 1 : -ENOTDIR;
        r = TAKE_FD(fd);
        g_array_append_val(walk->directories, r);
        return 0;
}

/* Gives the directory that the path's last entry is in, and its name there; "." for a directory
 * that was led to otherwise. With `follow` the entry is no link, or has become one just now. */
static int walk_to(int root, const char *path, bool follow, char **ret_name) {
        g_auto(Walk) walk = {
                .root = root,
                .directories = g_array_new(FALSE, FALSE, sizeof(int)),
                .pending = g_ptr_array_new_with_free_func(g_free),
        };
        int fd;

        walk_add(&walk, path);
        *ret_name = NULL;
        while (walk.pending->len > 0 && !*ret_name) {
                g_autofree char *name = g_ptr_array_steal_index(walk.pending,
                                                                walk.pending->len - 1);
                int r = walk_step(&walk, name, follow);

                if (r < 0)
                        return r;
                if (r > 0)
                        *ret_name = TAKE_PTR(name);
        }
        if (!*ret_name)
                *ret_name = g_strdup(".");
        fd = fcntl(walk_at(&walk), F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
}

static int open_entry(int root, const char *path, bool follow, int flags, mode_t mode) {
        g_autofree char *name = NULL;
        _cleanup_close_ int directory = walk_to(root, path, follow, &name);
        int fd;

        if (directory < 0)
                return directory;
        fd = openat(directory, name, flags | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, mode);
        return fd < 0 ? -errno : fd;
}

int tree_open(int root, const char *path, int flags, mode_t mode) {
        return open_entry(root, path, true, flags, mode);
}

int tree_open_file(int root, const char *path, int flags, mode_t mode) {
        _cleanup_close_ int fd = tree_open(root, path, flags | O_NONBLOCK, mode);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        return TAKE_FD(fd);
}

int tree_open_parent(int root, const char *path, char **ret_name) {
        g_autofree char *name = NULL;
        int fd = walk_to(root, path, false, &name);

        if (fd < 0)
                return fd;
        if (!path_is_component(name)) {
                fd_close(fd);
                return -EINVAL;
        }
        *ret_name = TAKE_PTR(name);
        return fd;
}

int tree_stat(int root, const char *path, bool nofollow, struct stat *ret) {
        _cleanup_close_ int fd = open_entry(root, path, !nofollow, O_PATH, 0);

        if (fd < 0)
                return fd;
        return fstat(fd, ret) < 0 ? -errno : 0;
}

char *tree_normalize(const char *path) {
        g_auto(GStrv) components = g_strsplit(path, "/", -1);
        g_autoptr(GPtrArray) kept = g_ptr_array_new();
        g_autofree char *joined = NULL;

        for (char **c = components; *c; c++) {
                if (!**c || g_str_equal(*c, "."))
                        continue;
                if (!g_str_equal(*c, ".."))
                        g_ptr_array_add(kept, *c);
                else if (kept->len > 0)
                        g_ptr_array_remove_index(kept, kept->len - 1);
        }
        g_ptr_array_add(kept, NULL);
        joined = g_strjoinv("/", (char **) kept->pdata);
        return g_strconcat("/", joined, NULL);
}

/* --- the second wall --- */

/* Renaming between directories came with version 2; before, Landlock takes it away. */
#define LANDLOCK_VERSION_MIN 2
/* Of version 3, which not every <linux/landlock.h> knows. */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)

int tree_confine(int root) {
        struct landlock_path_beneath_attr files = { .parent_fd = root };
        struct landlock_ruleset_attr rules = { 0 };
        _cleanup_close_ int fd = -EBADF;
        long version;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        if (version < LANDLOCK_VERSION_MIN)
                return 0;
        rules.handled_access_fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
        if (version > LANDLOCK_VERSION_MIN)
                rules.handled_access_fs |= ACCESS_TRUNCATE;
        fd = (int) syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0);
        if (fd < 0)
                return -errno;
        files.allowed_access = rules.handled_access_fs &
                               ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK);
        if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &files, 0) < 0 ||
            syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return 0;
}
