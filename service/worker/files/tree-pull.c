/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/copy.h"
#include "service/worker/files/place.h"

/* Each level holds an fd. */
#define DEPTH_MAX 512
#define BUFFER_SIZE (256U << 10)
#define SPECIAL_MODES (S_ISUID | S_ISGID | S_ISVTX)

typedef struct TreePull {
        const char *path;
        int data_fd;
        bool special_modes; /* keep set-user-id and the like */

        const Inside *inside;
        struct archive *archive;
        GHashTable *links;  /* "dev:ino" -> name of the first */
        guint8 *buffer;
        uint64_t files, skipped;
} TreePull;

static void tree_pull_done(TreePull *pull) {
        if (pull->archive)
                (void) archive_write_free(pull->archive);
        pull->archive = NULL;
        g_clear_pointer(&pull->links, g_hash_table_unref);
        g_clear_pointer(&pull->buffer, g_free);
}

/* --- the stream --- */

static la_ssize_t on_write(struct archive *archive, void *userdata, const void *data, size_t size) {
        const TreePull *pull = userdata;

        for (;;) {
                struct pollfd p = { .fd = pull->data_fd, .events = POLLOUT };
                ssize_t n = write(pull->data_fd, data, size);

                if (n >= 0)
                        return n;
                if (!worker_is_cancelled() && (errno == EINTR || errno == EAGAIN)) {
                        if (errno == EAGAIN)
                                (void) poll(&p, 1, -1);
                        continue;
                }
                archive_set_error(archive, errno, "%s", g_strerror(errno));
                return -1;
        }
}

static int stream_error(TreePull *pull, const char *name, Error *ret_error) {
        int errnum = archive_errno(pull->archive);

        if (worker_is_cancelled())
                return worker_cancelled(ret_error);
        if (errnum == EPIPE)
                return error_set(ret_error, ERROR_CANCELLED, "Nobody reads the data any more");
        return error_set_errno(ret_error, errnum > 0 ? errnum : EIO, "Copying \"%s\" failed", name);
}

static int open_stream(TreePull *pull, Error *ret_error) {
        pull->archive = archive_write_new();
        pull->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        pull->buffer = g_malloc(BUFFER_SIZE);
        if (!pull->archive ||
            archive_write_set_format_pax_restricted(pull->archive) != ARCHIVE_OK ||
            archive_write_set_bytes_in_last_block(pull->archive, 1) != ARCHIVE_OK ||
            archive_write_open(pull->archive, pull, NULL, on_write, NULL) != ARCHIVE_OK)
                return error_set(ret_error, ERROR_FAILED, "Cannot make an archive");
        return 0;
}

/* --- entries --- */

static struct archive_entry *entry_new(const TreePull *pull, const char *name,
                                       const struct stat *st) {
        struct archive_entry *entry = archive_entry_new();
        mode_t mode = st->st_mode & ~(pull->special_modes ? 0 : (mode_t) SPECIAL_MODES);

        archive_entry_copy_stat(entry, st);
        archive_entry_set_mode(entry, mode);
        archive_entry_copy_pathname(entry, name);
        return entry;
}

/* Where a file with several names was first met, or NULL and this is the first. */
static const char *first_name(TreePull *pull, const char *name, const struct stat *st) {
        g_autofree char *key = NULL;
        const char *first;

        if (st->st_nlink < 2)
                return NULL;
        key = g_strdup_printf("%llx:%llx", (unsigned long long) st->st_dev,
                              (unsigned long long) st->st_ino);
        first = g_hash_table_lookup(pull->links, key);
        if (!first)
                g_hash_table_insert(pull->links, TAKE_PTR(key), g_strdup(name));
        return first;
}

/* Tells the archive where the data of a file with holes is. */
static void add_sparse(struct archive_entry *entry, int fd, const struct stat *st) {
        off_t at = 0;

        if ((uint64_t) st->st_blocks * 512 >= (uint64_t) st->st_size)
                return;
        while (at < st->st_size) {
                off_t data = lseek(fd, at, SEEK_DATA);
                off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);

                if (hole < 0)
                        break;
                archive_entry_sparse_add_entry(entry, data, MIN(hole, st->st_size) - data);
                at = hole;
        }
        if (archive_entry_sparse_count(entry) == 0) /* one big hole */
                archive_entry_sparse_add_entry(entry, st->st_size, 0);
}

/* libarchive wants the bytes of the file from the first to the last, and leaves out those of the
 * holes itself; reading them costs no more than memory. A file that has become shorter is filled
 * up, one that has become longer is cut: the header was written. */
static int write_data(TreePull *pull, int fd, const char *name, uint64_t size, Error *ret_error) {
        while (size > 0) {
                size_t wanted = MIN(size, BUFFER_SIZE);
                ssize_t n = read(fd, pull->buffer, wanted);

                if (n < 0 && errno == EINTR && !worker_is_cancelled())
                        continue;
                if (n < 0)
                        return error_set_errno(ret_error, errno, "\"%s\" can't be read", name);
                if (n == 0) {
                        memset(pull->buffer, 0, wanted);
                        n = (ssize_t) wanted;
                }
                if (archive_write_data(pull->archive, pull->buffer, (size_t) n) < 0)
                        return stream_error(pull, name, ret_error);
                size -= (uint64_t) n;
                worker_progress(pull->inside->worker, "Copying", -1);
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
        }
        return 0;
}

static int pull_file(TreePull *pull, int dir_fd, const char *component, const char *name,
                     Error *ret_error) {
        /* O_NONBLOCK: it may have been replaced by a FIFO since it was looked at. */
        _cleanup_close_ int fd = openat(dir_fd, component, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
                                                                   O_NOCTTY | O_CLOEXEC);
        struct archive_entry *entry;
        const char *first;
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOENT)
                return 0; /* it has gone meanwhile */
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "\"%s\" can't be opened", name);
        if (!S_ISREG(st.st_mode)) {
                pull->skipped++;
                return 0;
        }
        entry = entry_new(pull, name, &st);
        first = first_name(pull, name, &st);
        if (first) {
                archive_entry_copy_hardlink(entry, first);
                archive_entry_unset_size(entry);
        } else {
                add_sparse(entry, fd, &st);
                (void) lseek(fd, 0, SEEK_SET);
        }
        r = archive_write_header(pull->archive, entry);
        archive_entry_free(entry);
        if (r < ARCHIVE_WARN)
                return stream_error(pull, name, ret_error);
        pull->files++;
        return first ? 0 : write_data(pull, fd, name, (uint64_t) st.st_size, ret_error);
}

static int pull_link(TreePull *pull, int dir_fd, const char *component, const char *name,
                     const struct stat *st, Error *ret_error) {
        g_autofree char *target = g_malloc0(PATH_MAX);
        struct archive_entry *entry;
        int r;

        if (readlinkat(dir_fd, component, target, PATH_MAX - 1) < 0)
                return 0; /* it has gone meanwhile, or is none any more */
        entry = entry_new(pull, name, st);
        archive_entry_copy_symlink(entry, target);
        r = archive_write_header(pull->archive, entry);
        archive_entry_free(entry);
        return r < ARCHIVE_WARN ? stream_error(pull, name, ret_error) : 0;
}

static int pull_entry(TreePull *pull, int dir_fd, const char *component, const char *name,
                      unsigned depth, Error *ret_error);

/* Takes the fd over. */
static int pull_content(TreePull *pull, int fd, const char *name, unsigned depth,
                        Error *ret_error) {
        DIR *dir = fdopendir(fd);
        struct dirent *entry;
        int r = 0;

        if (!dir) {
                fd_close(fd);
                return error_set_errno(ret_error, errno, "\"%s\" can't be listed", name);
        }
        while (r >= 0 && (entry = readdir(dir))) {
                g_autofree char *below = NULL;

                if (!path_is_component(entry->d_name))
                        continue;
                if (worker_is_cancelled())
                        r = worker_cancelled(ret_error);
                below = g_strconcat(name, "/", entry->d_name, NULL);
                if (r >= 0)
                        r = pull_entry(pull, dirfd(dir), entry->d_name, below, depth + 1,
                                       ret_error);
        }
        (void) closedir(dir);
        return r;
}

static int pull_directory(TreePull *pull, int dir_fd, const char *component, const char *name,
                          unsigned depth, Error *ret_error) {
        int fd = openat(dir_fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct archive_entry *entry;
        struct stat st;
        int r;

        if (depth > DEPTH_MAX) {
                fd_close(fd);
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "\"%s\" is too deep", name);
        }
        if (fd < 0 || fstat(fd, &st) < 0) {
                fd_close(fd);
                return errno == ENOENT ? 0 : error_set_errno(ret_error, errno,
                                                             "\"%s\" can't be opened", name);
        }
        entry = entry_new(pull, name, &st);
        r = archive_write_header(pull->archive, entry);
        archive_entry_free(entry);
        if (r < ARCHIVE_WARN) {
                fd_close(fd);
                return stream_error(pull, name, ret_error);
        }
        pull->files++;
        worker_progress(pull->inside->worker, "Copying", -1);
        return pull_content(pull, fd, name, depth, ret_error);
}

/* Devices, FIFOs and sockets are no data: they are left out and counted. */
static int pull_entry(TreePull *pull, int dir_fd, const char *component, const char *name,
                      unsigned depth, Error *ret_error) {
        struct stat st;

        if (fstatat(dir_fd, component, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : error_set_errno(ret_error, errno,
                                                             "\"%s\" can't be looked at", name);
        if (S_ISDIR(st.st_mode))
                return pull_directory(pull, dir_fd, component, name, depth, ret_error);
        if (S_ISREG(st.st_mode))
                return pull_file(pull, dir_fd, component, name, ret_error);
        if (S_ISLNK(st.st_mode))
                return pull_link(pull, dir_fd, component, name, &st, ret_error);
        pull->skipped++;
        return 0;
}

/* --- the operation --- */

static int pull_root(TreePull *pull, Error *ret_error) {
        g_auto(Place) place = PLACE_INIT;
        struct stat st;
        int fd, r;

        /* The root directory is in no other. */
        fd = place_open(pull->inside, pull->path, O_PATH);
        if (fd >= 0 && fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode)) {
                struct stat root;

                fd_close(fd);
                if (fstat(pull->inside->root_fd, &root) >= 0 && root.st_ino == st.st_ino &&
                    root.st_dev == st.st_dev)
                        return pull_directory(pull, pull->inside->root_fd, ".", ".", 0, ret_error);
        } else
                fd_close(fd);
        r = place_find(pull->inside, pull->path, true, &place, ret_error);
        if (r < 0)
                return r;
        if (place.stat.st_mode == 0)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no file or directory \"%s\"", pull->path);
        return pull_entry(pull, place.dir_fd, place.name, place.name, 0, ret_error);
}

static int pull_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        TreePull *pull = userdata;
        _cleanup_close_ int fd = place_open(inside, pull->path, O_PATH);
        int r;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no file or directory \"%s\"", pull->path);
        pull->inside = inside;
        r = open_stream(pull, ret_error);
        if (r >= 0)
                r = inside_begun(inside, NULL);
        if (r >= 0)
                r = pull_root(pull, ret_error);
        if (r >= 0 && archive_write_close(pull->archive) != ARCHIVE_OK)
                r = stream_error(pull, pull->path, ret_error);
        g_variant_dict_insert(result, "files", "t", pull->files);
        g_variant_dict_insert(result, "skipped", "t", pull->skipped);
        tree_pull_done(pull);
        return r;
}

int tree_pull(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        TreePull pull = {
                .data_fd = fd,
                .special_modes = files_get_flag(worker, "special-modes"),
        };
        int r;

        r = files_get_path(worker, &pull.path, ret_error);
        if (r >= 0)
                r = copy_check_fd(fd, true, ret_error);
        return r < 0 ? r : inside_run(worker, &fd, 1, pull_inside, &pull, result, ret_error);
}
