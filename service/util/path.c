/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* openat2() gives -EAGAIN when a rename elsewhere made its answer unsure. */
#define PATH_RETRY_MAX 64
/* How deep a tree is removed in one go; each level holds an fd. */
#define PATH_DEPTH_MAX 256
/* Around the name of a file that path_replace_file() is writing. */
#define TEMPORARY_PREFIX "."
#define TEMPORARY_SUFFIX ".new"

bool path_is_component(const char *name) {
        size_t n = strlen(name);

        return n > 0 && n <= NAME_MAX && !strchr(name, '/') && !g_str_equal(name, ".") &&
               !g_str_equal(name, "..");
}

static bool path_is_clean_relative(const char *name) {
        g_auto(GStrv) components = g_strsplit(name, "/", -1);

        if (!components[0] || strlen(name) >= PATH_MAX)
                return false;
        for (char **c = components; *c; c++)
                if (!path_is_component(*c))
                        return false;
        return true;
}

int path_open_beneath(int dir_fd, const char *name, int flags, mode_t mode) {
        struct open_how how = {
                /* openat2() refuses O_NOCTTY where nothing is really opened. */
                .flags = (unsigned) (flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
                .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                           RESOLVE_NO_XDEV,
        };

        if (!path_is_clean_relative(name))
                return -EINVAL;

        for (int i = 0; i < PATH_RETRY_MAX; i++) {
                int fd = (int) syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

                if (fd >= 0)
                        return fd;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        return -EAGAIN;
}

int path_open_dir(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int path_make_dir(int dir_fd, const char *component, mode_t mode) {
        _cleanup_close_ int fd = -EBADF;
        bool is_new = true;

        if (!path_is_component(component))
                return -EINVAL;
        if (mkdirat(dir_fd, component, mode) < 0) {
                if (errno != EEXIST)
                        return -errno;
                is_new = false;
        }
        fd = path_open_beneath(dir_fd, component, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return fd;
        if (is_new && fchmod(fd, mode) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* On disk with its name when it returns 0. */
static int make_dir_exactly(const char *path, mode_t mode) {
        g_autofree char *parent = g_path_get_dirname(path);
        _cleanup_close_ int parent_fd = -EBADF;

        if (mkdir(path, mode) < 0)
                return -errno;
        if (chmod(path, mode) < 0)
                return -errno;
        parent_fd = path_open_dir(parent);
        if (parent_fd < 0)
                return parent_fd;
        return fsync(parent_fd) < 0 ? -errno : 0;
}

int path_make_dirs(const char *path, mode_t mode) {
        g_autofree char *parent = NULL;
        int r;

        r = make_dir_exactly(path, mode);
        if (r != -ENOENT)
                return r == -EEXIST ? 0 : r;

        parent = g_path_get_dirname(path);
        if (g_str_equal(parent, path))
                return -ENOENT;
        r = path_make_dirs(parent, mode);
        if (r < 0)
                return r;
        r = make_dir_exactly(path, mode);
        return r == -EEXIST ? 0 : r;
}

bool path_is_temporary(const char *name) {
        size_t n = strlen(name), around = strlen(TEMPORARY_PREFIX) + strlen(TEMPORARY_SUFFIX);

        return n > around && g_str_has_prefix(name, TEMPORARY_PREFIX) &&
               g_str_has_suffix(name, TEMPORARY_SUFFIX);
}

char *path_temporary_name(const char *component) {
        return g_strconcat(TEMPORARY_PREFIX, component, TEMPORARY_SUFFIX, NULL);
}

static int replace_file(int dir_fd, const char *component, const void *data, size_t size,
                        mode_t mode, bool sync) {
        g_autofree char *temporary = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!path_is_component(component))
                return -EINVAL;

        temporary = path_temporary_name(component);
        if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = path_open_beneath(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (fd < 0)
                return fd;
        r = fd_write_all(fd, data, size);
        if (r >= 0 && fchmod(fd, mode) < 0) /* exactly, whatever the umask */
                r = -errno;
        if (r >= 0 && sync && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(dir_fd, temporary, dir_fd, component) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dir_fd, temporary, 0);
                return r;
        }
        return sync && fsync(dir_fd) < 0 ? -errno : 0;
}

int path_replace_file(int dir_fd, const char *component, const void *data, size_t size,
                      mode_t mode) {
        return replace_file(dir_fd, component, data, size, mode, true);
}

int path_replace_file_later(int dir_fd, const char *component, const void *data, size_t size,
                            mode_t mode) {
        return replace_file(dir_fd, component, data, size, mode, false);
}

int path_remove_file(int dir_fd, const char *component) {
        if (!path_is_component(component))
                return -EINVAL;
        if (unlinkat(dir_fd, component, 0) < 0)
                return -errno;
        return fsync(dir_fd) < 0 ? -errno : 0;
}

int path_list_names(int dir_fd, GPtrArray **ret) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        /* An open file description of its own, which starts at the first entry. */
        int r = 0, fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (!dir) {
                r = -errno;
                (void) fd_close(fd);
                return r;
        }
        while ((errno = 0, entry = readdir(dir)))
                if (path_is_component(entry->d_name))
                        g_ptr_array_add(names, g_strdup(entry->d_name));
        if (errno != 0)
                r = -errno;
        else
                *ret = TAKE_PTR(names);
        (void) closedir(dir);
        return r;
}

/* Removing a tree. Each level holds an fd, so what lies deeper than PATH_DEPTH_MAX is moved up to
 * the top, where a later round finds it: depth is no way to make a tree last. */
typedef struct Removal {
        int top_fd;
        unsigned n_moved; /* makes the names up there */
        bool again;
} Removal;

static int remove_entry(Removal *removal, int dir_fd, const char *name, unsigned depth);

/* Empties the directory; takes the fd over. */
static int remove_content(Removal *removal, int fd, unsigned depth) {
        DIR *dir = fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                r = -errno;
                (void) close(fd);
                return r;
        }
        while (r >= 0 && (errno = 0, entry = readdir(dir)))
                if (path_is_component(entry->d_name))
                        r = remove_entry(removal, dirfd(dir), entry->d_name, depth + 1);
        if (r >= 0 && errno != 0)
                r = -errno;
        (void) closedir(dir);
        return r;
}

static int move_to_top(Removal *removal, int dir_fd, const char *name) {
        removal->again = true;
        for (;;) {
                g_autofree char *moved = g_strdup_printf(".deep.%u", removal->n_moved++);

                if (renameat2(dir_fd, name, removal->top_fd, moved, RENAME_NOREPLACE) >= 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
}

static int remove_entry(Removal *removal, int dir_fd, const char *name, unsigned depth) {
        int fd, r;

        if (unlinkat(dir_fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (depth > PATH_DEPTH_MAX)
                return move_to_top(removal, dir_fd, name);

        fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (fd < 0)
                return fd;
        r = remove_content(removal, fd, depth);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int path_remove_tree(int dir_fd, const char *component) {
        _cleanup_close_ int top_fd = -EBADF;
        Removal removal;
        int r;

        if (!path_is_component(component))
                return -EINVAL;
        if (unlinkat(dir_fd, component, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;

        top_fd = path_open_beneath(dir_fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (top_fd < 0)
                return top_fd;
        removal = (Removal) { .top_fd = top_fd };
        do {
                /* An open file description of its own, which starts at the first entry. */
                int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0)
                        return -errno;
                removal.again = false;
                r = remove_content(&removal, fd, 0);
        } while (r >= 0 && removal.again);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, component, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
