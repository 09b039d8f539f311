/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/tree-writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <archive_entry.h>
#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"

#define BUFFER_SIZE (256U << 10)

typedef struct archive_entry Entry;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Entry, archive_entry_free)

/* A directory that is yet to be written, and what it counts for. */
typedef struct Pending {
        char *name;
        double share;
} Pending;

static void pending_free(void *p) {
        Pending *pending = p;

        g_free(pending->name);
        g_free(pending);
}

static void push(GPtrArray *stack, char *name, double share) {
        Pending *pending = g_new(Pending, 1);

        *pending = (Pending) { name, share };
        g_ptr_array_add(stack, pending);
}

typedef struct TreeWriter {
        struct archive *archive;
        int root_fd;
        const char *prefix;
        uint32_t id_count;
        GHashTable *links; /* "DEVICE:INODE" of a file with several names -> its first */
        void *buffer;
        TreeProgress progress;
        void *userdata;
        double done;
} TreeWriter;

static int failed(const char *name, int errnum, Error *ret_error) {
        g_autofree char *shown = text_for_message(name);

        return error_set_errno(ret_error, errnum, "Cannot read \"%s\"", shown);
}

int tree_write_failed(struct archive *archive, Error *ret_error) {
        int errnum = archive_errno(archive);
        g_autofree char *shown = text_for_message(archive_error_string(archive) ?: "unknown");

        if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no space left for the archive");
        if (errnum == EPIPE)
                return error_set(ret_error, ERROR_FAILED,
                                 "Nobody reads the other end of the pipe any more");
        return error_set(ret_error, ERROR_FAILED, "The archive cannot be written: %s", shown);
}

/* --- Attributes -------------------------------------------------------------------------- */

/* What reading the archive again would take; the rest means something to the host alone. */
static bool xattr_is_wanted(const char *name) {
        if (g_str_has_prefix(name, "user."))
                return !g_str_has_prefix(name, "user.overlay.");
        return g_str_equal(name, "security.capability") ||
               g_str_equal(name, "system.posix_acl_access") ||
               g_str_equal(name, "system.posix_acl_default");
}

static int add_xattrs(Entry *entry, int fd) {
        g_autofree char *names = g_malloc(XATTR_LIST_MAX), *value = g_malloc(XATTR_SIZE_MAX);
        ssize_t n = flistxattr(fd, names, XATTR_LIST_MAX);

        if (n < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                ssize_t size;

                if (!xattr_is_wanted(name))
                        continue;
                size = fgetxattr(fd, name, value, XATTR_SIZE_MAX);
                if (size >= 0)
                        archive_entry_xattr_add_entry(entry, name, value, (size_t) size);
                else if (errno != ENODATA)
                        return -errno;
        }
        return 0;
}

static Entry *entry_new(const TreeWriter *writer, const char *name, const struct stat *st) {
        g_autofree char *full = *name ? g_build_filename(writer->prefix, name, NULL)
                                      : g_strdup(writer->prefix);
        Entry *entry = archive_entry_new();

        if (!entry)
                g_error("Out of memory");
        archive_entry_set_pathname(entry, full);
        archive_entry_set_mode(entry, st->st_mode);
        archive_entry_set_uid(entry, st->st_uid);
        archive_entry_set_gid(entry, st->st_gid);
        archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
        archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
        return entry;
}

static int write_header(const TreeWriter *writer, Entry *entry, Error *ret_error) {
        int r;

        if (archive_entry_uid(entry) >= writer->id_count ||
            archive_entry_gid(entry) >= writer->id_count) {
                g_autofree char *shown = text_for_message(archive_entry_pathname(entry));

                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "\"%s\" cannot be in the archive: its owner or group is above %u",
                                 shown, writer->id_count - 1);
        }
        r = archive_write_header(writer->archive, entry);
        return r != ARCHIVE_OK && r != ARCHIVE_WARN ? tree_write_failed(writer->archive, ret_error)
                                                    : 0;
}

/* --- Content ----------------------------------------------------------------------------- */

/* Tells libarchive where there is data. A file without holes gets no list. */
static int add_holes(Entry *entry, int fd, off_t size) {
        off_t start = 0, end;
        bool sparse = false;

        while (start < size) {
                off_t data = lseek(fd, start, SEEK_DATA);

                if (data < 0 && errno != ENXIO)
                        return -errno;
                if (data < 0)
                        data = size;
                sparse |= data > start;
                if (data >= size)
                        break;
                end = lseek(fd, data, SEEK_HOLE);
                if (end < 0)
                        return -errno;
                archive_entry_sparse_add_entry(entry, data, MIN(end, size) - data);
                start = end;
        }
        if (!sparse)
                archive_entry_sparse_clear(entry);
        else if (archive_entry_sparse_count(entry) == 0)
                archive_entry_sparse_add_entry(entry, size, 0); /* nothing but a hole */
        return 0;
}

/* Whatever the file's size is by now, the archive gets as much as was announced. libarchive leaves
 * out what the list of holes does not name. */
static int write_content(TreeWriter *writer, int fd, off_t size, const char *name,
                         Error *ret_error) {
        off_t done = 0;

        while (done < size) {
                size_t wanted = (size_t) MIN(size - done, (off_t) BUFFER_SIZE);
                ssize_t n = pread(fd, writer->buffer, wanted, done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return failed(name, errno, ret_error);
                if (n == 0) {
                        memset(writer->buffer, 0, wanted);
                        n = (ssize_t) wanted;
                }
                if (archive_write_data(writer->archive, writer->buffer, (size_t) n) < 0)
                        return tree_write_failed(writer->archive, ret_error);
                done += n;
                writer->progress(writer->userdata, MIN(writer->done, 1));
        }
        return 0;
}

static int write_file(TreeWriter *writer, const char *name, const struct stat *st,
                      Error *ret_error) {
        _cleanup_close_ int fd = path_open_beneath(writer->root_fd, name,
                                                   O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
        g_autoptr(Entry) entry = NULL;
        struct stat now;
        int r;

        if (fd == -ENOENT)
                return 0; /* gone since the directory was read */
        if (fd < 0)
                return failed(name, -fd, ret_error);
        if (fstat(fd, &now) < 0)
                return failed(name, errno, ret_error);
        if (!S_ISREG(now.st_mode))
                return 0;
        entry = entry_new(writer, name, &now);
        r = add_xattrs(entry, fd);
        if (r >= 0)
                r = add_holes(entry, fd, now.st_size);
        if (r < 0)
                return failed(name, -r, ret_error);
        r = write_header(writer, entry, ret_error);
        return r < 0 ? r : write_content(writer, fd, now.st_size, name, ret_error);
}

/* --- Entries ----------------------------------------------------------------------------- */

/* Positive if it is one more name of a file that has been written. */
static int write_link(TreeWriter *writer, const char *name, const struct stat *st,
                      Error *ret_error) {
        g_autofree char *key = NULL, *target = NULL;
        g_autoptr(Entry) entry = NULL;
        const char *first;
        int r;

        if (st->st_nlink < 2)
                return 0;
        key = g_strdup_printf("%ju:%ju", (uintmax_t) st->st_dev, (uintmax_t) st->st_ino);
        first = g_hash_table_lookup(writer->links, key);
        if (!first) {
                g_hash_table_insert(writer->links, TAKE_PTR(key), g_strdup(name));
                return 0;
        }
        entry = entry_new(writer, name, st);
        target = g_build_filename(writer->prefix, first, NULL);
        archive_entry_set_size(entry, 0);
        archive_entry_set_hardlink(entry, target);
        r = write_header(writer, entry, ret_error);
        return r < 0 ? r : 1;
}

static int write_symlink(TreeWriter *writer, const char *name, int parent_fd, const char *last,
                         const struct stat *st, Error *ret_error) {
        g_autoptr(Entry) entry = entry_new(writer, name, st);
        char target[PATH_MAX];
        ssize_t n = readlinkat(parent_fd, last, target, sizeof(target) - 1);

        if (n < 0)
                return errno == ENOENT || errno == EINVAL ? 0 : failed(name, errno, ret_error);
        target[n] = '\0';
        archive_entry_set_symlink(entry, target);
        return write_header(writer, entry, ret_error);
}

static int write_entry(TreeWriter *writer, const char *name, int parent_fd, const char *last,
                       const struct stat *st, Error *ret_error) {
        g_autoptr(Entry) entry = NULL;
        int r = write_link(writer, name, st, ret_error);

        if (r != 0)
                return MIN(r, 0);
        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                return write_file(writer, name, st, ret_error);
        case S_IFLNK:
                return write_symlink(writer, name, parent_fd, last, st, ret_error);
        case S_IFIFO:
                entry = entry_new(writer, name, st);
                return write_header(writer, entry, ret_error);
        default:
                return 0;
        }
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int read_names(int fd, GPtrArray *names) {
        _cleanup_close_ int copy_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        struct dirent *entry;
        DIR *dir;
        int r;

        if (copy_fd < 0)
                return -errno;
        dir = fdopendir(copy_fd);
        if (!dir)
                return -errno;
        (void) TAKE_FD(copy_fd);
        while ((errno = 0, entry = readdir(dir)))
                if (path_is_component(entry->d_name))
                        g_ptr_array_add(names, g_strdup(entry->d_name));
        r = -errno;
        (void) closedir(dir);
        g_ptr_array_sort(names, compare_names);
        return r;
}

/* The directories that came last to the stack share what their parent counts for with it. */
static void share_out(TreeWriter *writer, GPtrArray *stack, guint first, double share) {
        double part = share / (stack->len - first + 1);

        for (guint i = first; i < stack->len; i++)
                ((Pending *) stack->pdata[i])->share = part;
        writer->done += part;
}

/* The directory itself and all in it that is no directory; those are put on the stack, which is
 * written from its end. */
static int write_directory(TreeWriter *writer, const char *name, GPtrArray *stack,
                           Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Entry) entry = NULL;
        struct stat st;
        int r;

        fd = *name ? path_open_beneath(writer->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                       0)
                   : fcntl(writer->root_fd, F_DUPFD_CLOEXEC, 0);
        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : read_names(fd, names);
        if (r < 0)
                return failed(name, -r, ret_error);
        entry = entry_new(writer, name, &st);
        r = add_xattrs(entry, fd);
        if (r < 0)
                return failed(name, -r, ret_error);
        r = write_header(writer, entry, ret_error);
        for (guint i = names->len; r >= 0 && i > 0; i--) {
                const char *last = names->pdata[i - 1];
                g_autofree char *path = *name ? g_strconcat(name, "/", last, NULL) : g_strdup(last);

                if (fstatat(fd, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (strlen(path) + strlen(writer->prefix) + 1 > IMAGE_PATH_MAX)
                        return failed(path, ENAMETOOLONG, ret_error);
                if (S_ISDIR(st.st_mode))
                        push(stack, TAKE_PTR(path), 0);
                else
                        r = write_entry(writer, path, fd, last, &st, ret_error);
        }
        return r;
}

int tree_write(struct archive *archive, int root_fd, const char *prefix, uint32_t id_count,
               TreeProgress progress, void *userdata, Error *ret_error) {
        g_autoptr(GHashTable) links =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(GPtrArray) stack = g_ptr_array_new_with_free_func(pending_free);
        g_autofree void *buffer = g_malloc(BUFFER_SIZE);
        TreeWriter writer = {
                .archive = archive,
                .root_fd = root_fd,
                .prefix = prefix,
                .id_count = id_count,
                .links = links,
                .buffer = buffer,
                .progress = progress,
                .userdata = userdata,
        };

        push(stack, g_strdup(""), 1);
        while (stack->len > 0) {
                Pending *next = g_ptr_array_steal_index(stack, stack->len - 1);
                g_autofree char *name = next->name;
                double share = next->share;
                guint first = stack->len;
                int r;

                g_free(next);
                r = write_directory(&writer, name, stack, ret_error);
                if (r < 0)
                        return r;
                share_out(&writer, stack, first, share);
                progress(userdata, MIN(writer.done, 1));
        }
        return 0;
}

int tree_write_file(struct archive *archive, const char *name, const void *data, size_t size,
                    Error *ret_error) {
        g_autoptr(Entry) entry = archive_entry_new();

        archive_entry_set_pathname(entry, name);
        archive_entry_set_mode(entry, S_IFREG | 0644);
        archive_entry_set_size(entry, (la_int64_t) size);
        archive_entry_set_mtime(entry, time(NULL), 0);
        if (archive_write_header(archive, entry) != ARCHIVE_OK ||
            (size > 0 && archive_write_data(archive, data, size) != (la_ssize_t) size))
                return tree_write_failed(archive, ret_error);
        return 0;
}
