/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/worker.h"

/* How much is copied between two looks at whether the operation was cancelled. */
#define COPY_CHUNK (16U << 20)
#define COPY_BUFFER (1U << 20)

typedef struct TreeCopy {
        int target_root_fd;
        GHashTable *links;  /* "DEVICE:INODE" of a source file with several names -> path of its
                             * copy */
        GString *path;      /* of the entry that is being copied */
        bool cannot_reflink;
        unsigned depth;
} TreeCopy;

static char *magic_path(int fd) {
        return g_strdup_printf("/proc/self/fd/%d", fd);
}

static int copy_xattr(const char *from, const char *to, const char *name) {
        g_autofree char *value = g_malloc(XATTR_SIZE_MAX);
        ssize_t n = getxattr(from, name, value, XATTR_SIZE_MAX);

        if (n < 0)
                return errno == ENODATA ? 0 : -errno;
        return setxattr(to, name, value, (size_t) n, 0) < 0 ? -errno : 0;
}

/* By way of /proc, since O_PATH fds take no xattr calls; the link there leads to the very inode. */
static int copy_xattrs(int source_fd, int target_fd) {
        g_autofree char *from = magic_path(source_fd), *to = magic_path(target_fd);
        g_autofree char *names = NULL;
        ssize_t n = listxattr(from, NULL, 0);

        if (n < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        if (n == 0)
                return 0;
        names = g_malloc(XATTR_LIST_MAX);
        n = listxattr(from, names, XATTR_LIST_MAX);
        if (n < 0)
                return -errno;
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                int r = copy_xattr(from, to, name);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* In this order: a new owner clears capabilities and the setuid bit, an ACL changes the mode, and
 * all of them the times. */
static int copy_attributes(int source_fd, int target_fd, const struct stat *st) {
        const struct timespec times[] = { st->st_atim, st->st_mtim };
        g_autofree char *to = magic_path(target_fd);
        int r;

        if (fchownat(target_fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
                return -errno;
        r = copy_xattrs(source_fd, target_fd);
        if (r < 0)
                return r;
        if (!S_ISLNK(st->st_mode) && chmod(to, st->st_mode & 07777) < 0)
                return -errno;
        return utimensat(target_fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* By hand, from one filesystem to another. */
static int copy_range_between(int in, int out, off_t start, off_t end) {
        g_autofree char *buffer = g_malloc(COPY_BUFFER);

        while (start < end) {
                size_t size = (size_t) MIN(end - start, (off_t) COPY_BUFFER), done = 0;
                ssize_t n = pread(in, buffer, size, start);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return 0; /* became shorter */
                while (n > 0 && done < (size_t) n) {
                        ssize_t w = pwrite(out, buffer + done, (size_t) n - done,
                                           start + (off_t) done);

                        if (w < 0 && errno != EINTR)
                                return -errno;
                        done += (size_t) MAX(w, 0);
                }
                start += MAX(n, 0);
        }
        return 0;
}

/* In one filesystem this always works, and shares or copies without our help. */
static int copy_range(int in, int out, off_t start, off_t end) {
        while (start < end) {
                off_t from = start, to = start;
                ssize_t n = copy_file_range(in, &from, out, &to, (size_t) (end - start), 0);

                if (n < 0 && errno == EXDEV)
                        return copy_range_between(in, out, start, end);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return 0; /* became shorter */
                start += MAX(n, 0);
        }
        return 0;
}

/* Copies what is not a hole. */
static int copy_data(int in, int out, off_t size, Error *ret_error) {
        off_t start = 0;

        while (start < size) {
                off_t end;
                int r;

                start = lseek(in, start, SEEK_DATA);
                if (start < 0 && errno == ENXIO)
                        return 0;
                if (start < 0)
                        return -errno;
                end = lseek(in, start, SEEK_HOLE);
                if (end < 0)
                        return -errno;
                end = MIN(end, MIN(size, start + (off_t) COPY_CHUNK));
                r = copy_range(in, out, start, end);
                if (r < 0)
                        return r;
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                start = end;
        }
        return 0;
}

static int copy_content(TreeCopy *copy, int source_fd, int out, off_t size, Error *ret_error) {
        g_autofree char *path = magic_path(source_fd);
        _cleanup_close_ int in = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);

        if (in < 0)
                return -errno;
        if (size == 0)
                return 0;
        if (!copy->cannot_reflink) {
                if (ioctl(out, FICLONE, in) >= 0)
                        return 0;
                if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
                        return -errno;
                copy->cannot_reflink = true;
        }
        if (ftruncate(out, size) < 0)
                return -errno;
        return copy_data(in, out, size, ret_error);
}

/* Positive if the entry is one more name of a file that has been copied. */
static int copy_link(TreeCopy *copy, int dir_fd, const char *name, const struct stat *st) {
        g_autofree char *key = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *first;

        if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
                return 0;
        key = g_strdup_printf("%ju:%ju", (uintmax_t) st->st_dev, (uintmax_t) st->st_ino);
        first = g_hash_table_lookup(copy->links, key);
        if (!first) {
                g_hash_table_insert(copy->links, g_steal_pointer(&key), g_strdup(copy->path->str));
                return 0;
        }
        fd = path_open_beneath(copy->target_root_fd, first, O_PATH | O_NOFOLLOW, 0);
        if (fd < 0)
                return fd;
        return linkat(fd, "", dir_fd, name, AT_EMPTY_PATH) < 0 ? -errno : 1;
}

static int copy_symlink(int source_fd, int dir_fd, const char *name) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(source_fd, "", target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        return symlinkat(target, dir_fd, name) < 0 ? -errno : 0;
}

/* Makes the entry and opens it: a regular file or a directory to fill it, others with O_PATH. */
static int make_entry(int source_fd, int dir_fd, const char *name, const struct stat *st) {
        int flags = O_PATH | O_NOFOLLOW, r = 0;

        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                return path_open_beneath(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        case S_IFDIR:
                r = mkdirat(dir_fd, name, 0700) < 0 ? -errno : 0;
                flags = O_RDONLY | O_DIRECTORY;
                break;
        case S_IFLNK:
                r = copy_symlink(source_fd, dir_fd, name);
                break;
        default:
                r = mknodat(dir_fd, name, st->st_mode & (S_IFMT | 0600), st->st_rdev) < 0 ? -errno
                                                                                          : 0;
        }
        return r < 0 ? r : path_open_beneath(dir_fd, name, flags, 0);
}

static int copy_directory(TreeCopy *copy, int source_fd, int target_fd, Error *ret_error);

static int copy_entry(TreeCopy *copy, int source_dir_fd, int target_dir_fd, const char *name,
                      Error *ret_error) {
        _cleanup_close_ int source_fd = -EBADF, target_fd = -EBADF;
        struct stat st;
        int r;

        if (worker_is_cancelled())
                return worker_cancelled(ret_error);
        source_fd = path_open_beneath(source_dir_fd, name, O_PATH | O_NOFOLLOW, 0);
        if (source_fd == -ENOENT)
                return 0; /* deleted since the directory was read */
        if (source_fd < 0)
                return source_fd;
        if (fstat(source_fd, &st) < 0)
                return -errno;
        r = copy_link(copy, target_dir_fd, name, &st);
        if (r != 0)
                return r;

        target_fd = make_entry(source_fd, target_dir_fd, name, &st);
        if (target_fd < 0)
                return target_fd;
        if (S_ISDIR(st.st_mode))
                r = copy_directory(copy, source_fd, target_fd, ret_error);
        else if (S_ISREG(st.st_mode))
                r = copy_content(copy, source_fd, target_fd, st.st_size, ret_error);
        if (r < 0)
                return r;
        return copy_attributes(source_fd, target_fd, &st);
}

static int copy_entries(TreeCopy *copy, DIR *source, int target_fd, Error *ret_error) {
        size_t length = copy->path->len;
        struct dirent *entry;

        while ((errno = 0, entry = readdir(source))) {
                int r;

                if (!path_is_component(entry->d_name))
                        continue;
                if (length > 0)
                        g_string_append_c(copy->path, '/');
                g_string_append(copy->path, entry->d_name);
                r = copy_entry(copy, dirfd(source), target_fd, entry->d_name, ret_error);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot copy file \"%s\"",
                                               copy->path->str);
                g_string_truncate(copy->path, length);
        }
        return -errno;
}

static int copy_directory(TreeCopy *copy, int source_fd, int target_fd, Error *ret_error) {
        g_autofree char *path = magic_path(source_fd);
        _cleanup_close_ int fd = -EBADF;
        DIR *source;
        int r;

        if (copy->depth >= TREE_DEPTH_MAX)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Cannot copy a tree of more than %d directories in each other",
                                 TREE_DEPTH_MAX);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
        if (fd < 0)
                return -errno;
        source = fdopendir(fd);
        if (!source)
                return -errno;
        TAKE_FD(fd);

        copy->depth++;
        r = copy_entries(copy, source, target_fd, ret_error);
        copy->depth--;
        (void) closedir(source);
        return r;
}

int tree_copy(int source_fd, int target_fd, Error *ret_error) {
        g_autoptr(GHashTable) links =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(GString) path = g_string_new(NULL);
        TreeCopy copy = { .target_root_fd = target_fd, .links = links, .path = path };
        struct stat st;
        int r;

        if (fstat(source_fd, &st) < 0)
                return -errno;
        r = copy_directory(&copy, source_fd, target_fd, ret_error);
        if (r < 0)
                return r;
        return copy_attributes(source_fd, target_fd, &st);
}
