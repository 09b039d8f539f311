/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/copy.h"
#include "service/worker/files/place.h"

#define BUFFER_SIZE (256U << 10)
#define NEW_DIRECTORY_MODE 0750

/* Owners and modes as the archive has them; each file written beside its place and renamed, so that
 * none is ever there by half. A link that is in the way is the container's own and leads nowhere
 * but to its files. */
#define WRITE_FLAGS \
        (ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | \
         ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SAFE_WRITES)

typedef struct TreePush {
        const char *path;
        int data_fd;
        bool make_directories;

        const Inside *inside;
        struct archive *reader, *writer;
        guint8 *buffer;
        uint64_t files;
} TreePush;

static void tree_push_done(TreePush *push) {
        if (push->reader)
                (void) archive_read_free(push->reader);
        if (push->writer)
                (void) archive_write_free(push->writer);
        push->reader = push->writer = NULL;
        g_clear_pointer(&push->buffer, g_free);
}

static la_ssize_t on_read(struct archive *archive, void *userdata, const void **ret_data) {
        const TreePush *push = userdata;

        *ret_data = push->buffer;
        for (;;) {
                struct pollfd p = { .fd = push->data_fd, .events = POLLIN };
                ssize_t n = read(push->data_fd, push->buffer, BUFFER_SIZE);

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

static int open_streams(TreePush *push, Error *ret_error) {
        push->buffer = g_malloc(BUFFER_SIZE);
        push->reader = archive_read_new();
        push->writer = archive_write_disk_new();
        if (!push->reader || !push->writer ||
            archive_write_disk_set_options(push->writer, WRITE_FLAGS) != ARCHIVE_OK ||
            archive_read_support_format_tar(push->reader) != ARCHIVE_OK ||
            archive_read_support_format_empty(push->reader) != ARCHIVE_OK)
                return error_set(ret_error, ERROR_FAILED, "Cannot prepare for an archive");
        if (archive_read_open(push->reader, push, NULL, on_read, NULL) != ARCHIVE_OK) {
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                return error_set(ret_error, ERROR_INVALID_ARGS, "The data are no tar archive: %s",
                                 archive_error_string(push->reader));
        }
        return 0;
}

static int read_error(TreePush *push, Error *ret_error) {
        if (worker_is_cancelled())
                return worker_cancelled(ret_error);
        return error_set(ret_error, ERROR_INVALID_ARGS, "The archive breaks off or is damaged: %s",
                         archive_error_string(push->reader) ?: "no reason is given");
}

static int write_error(TreePush *push, const char *name, Error *ret_error) {
        int errnum = archive_errno(push->writer);

        if (worker_is_cancelled())
                return worker_cancelled(ret_error);
        if (errnum > 0)
                return error_set_errno(ret_error, errnum, "\"%s\" can't be made in the container",
                                       name);
        return error_set(ret_error, ERROR_FAILED, "\"%s\" can't be made in the container: %s", name,
                         archive_error_string(push->writer) ?: "no reason is given");
}

static int push_data(TreePush *push, const char *name, Error *ret_error) {
        for (;;) {
                const void *data;
                size_t size;
                la_int64_t offset;
                int r = archive_read_data_block(push->reader, &data, &size, &offset);

                if (r == ARCHIVE_EOF)
                        return 0;
                if (r < ARCHIVE_WARN)
                        return read_error(push, ret_error);
                if (archive_write_data_block(push->writer, data, size, offset) < ARCHIVE_OK)
                        return write_error(push, name, ret_error);
                worker_progress(push->inside->worker, "Copying", -1);
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
        }
}

static int push_entry(TreePush *push, struct archive_entry *entry, Error *ret_error) {
        const char *name = archive_entry_pathname(entry);
        mode_t type = archive_entry_filetype(entry);
        int r;

        if (!name || name[0] == '/')
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The archive has an entry without a name, or with an absolute "
                                 "one");
        if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK &&
            !archive_entry_hardlink(entry))
                return error_set(ret_error, ERROR_WRONG_FILE_TYPE,
                                 "\"%s\" in the archive is %s, which can't be pushed", name,
                                 file_type_to_noun(type));
        r = archive_write_header(push->writer, entry);
        if (r < ARCHIVE_OK)
                return write_error(push, name, ret_error);
        if (archive_entry_size(entry) > 0) {
                r = push_data(push, name, ret_error);
                if (r < 0)
                        return r;
        }
        if (archive_write_finish_entry(push->writer) < ARCHIVE_OK)
                return write_error(push, name, ret_error);
        push->files++;
        return 0;
}

static int push_entries(TreePush *push, Error *ret_error) {
        for (;;) {
                struct archive_entry *entry;
                int r = archive_read_next_header(push->reader, &entry);

                if (r == ARCHIVE_EOF)
                        return 0;
                if (r < ARCHIVE_WARN)
                        return read_error(push, ret_error);
                r = push_entry(push, entry, ret_error);
                if (r < 0)
                        return r;
        }
}

/* The names of the archive are below the directory. */
static int enter_directory(TreePush *push, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (push->make_directories) {
                r = place_make_directories(push->inside, push->path, NEW_DIRECTORY_MODE,
                                           (NewOwner) { 0 }, ret_error);
                if (r < 0)
                        return r;
        }
        fd = place_open(push->inside, push->path, O_RDONLY | O_DIRECTORY);
        if (fd == -ENOENT)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no directory \"%s\"", push->path);
        if (fd < 0 || fchdir(fd) < 0)
                return error_set_errno(ret_error, fd < 0 ? -fd : errno,
                                       "Directory \"%s\" of the container can't be entered",
                                       push->path);
        return 0;
}

/* All at once: that is quicker than each file by itself. */
static int bring_to_disk(const TreePush *push, Error *ret_error) {
        _cleanup_close_ int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || syncfs(fd) < 0)
                return error_set_errno(ret_error, errno, "\"%s\" can't be brought to disk",
                                       push->path);
        return 0;
}

static int push_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        TreePush *push = userdata;
        int r;

        push->inside = inside;
        r = enter_directory(push, ret_error);
        if (r >= 0)
                r = inside_begun(inside, NULL);
        if (r >= 0)
                r = open_streams(push, ret_error);
        if (r >= 0)
                r = push_entries(push, ret_error);
        /* Sets what waits for the end: modes and times of directories. */
        if (r >= 0 && archive_write_close(push->writer) < ARCHIVE_OK)
                r = write_error(push, push->path, ret_error);
        if (r >= 0)
                r = bring_to_disk(push, ret_error);
        g_variant_dict_insert(result, "files", "t", push->files);
        tree_push_done(push);
        return r;
}

int tree_push(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        TreePush push = {
                .data_fd = fd,
                .make_directories = files_get_flag(worker, "make-directories"),
        };
        int r;

        r = files_get_path(worker, &push.path, ret_error);
        if (r >= 0)
                r = copy_check_fd(fd, false, ret_error);
        return r < 0 ? r : inside_run(worker, &fd, 1, push_inside, &push, result, ret_error);
}
