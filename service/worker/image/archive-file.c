/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/archive-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"

struct ArchiveFile {
        const char *path; /* the worker's */
        char *name;
        int dir_fd;
};

ArchiveFile *archive_file_free(ArchiveFile *file) {
        if (!file)
                return NULL;
        (void) fd_close(file->dir_fd);
        g_free(file->name);
        g_free(file);
        return NULL;
}

int archive_file_find(Worker *worker, const char *key, ArchiveFile **ret, Error *ret_error) {
        g_autoptr(ArchiveFile) file = g_new(ArchiveFile, 1);
        g_autofree char *directory = NULL;
        int r;

        *file = (ArchiveFile) { .dir_fd = -EBADF };
        r = worker_get_string(worker, key, &file->path, ret_error);
        if (r < 0)
                return r;
        file->name = g_path_get_basename(file->path);
        if (file->path[0] != '/' || !path_is_component(file->name))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Worker argument \"%s\" is not the absolute path of a file", key);
        directory = g_path_get_dirname(file->path);
        file->dir_fd = path_open_dir(directory);
        if (file->dir_fd < 0)
                return error_set_errno(ret_error, -file->dir_fd, "Cannot open the directory \"%s\"",
                                       directory);
        *ret = TAKE_PTR(file);
        return 0;
}

int archive_file_create(const ArchiveFile *file, int *ret_fd, Error *ret_error) {
        int fd = path_open_beneath(file->dir_fd, file->name,
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

        if (fd == -EEXIST)
                return error_set(ret_error, ERROR_EXISTS, "There is a file \"%s\" already",
                                 file->path);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot make the file \"%s\"", file->path);
        *ret_fd = fd;
        return 0;
}

int archive_file_open(const ArchiveFile *file, int *ret_fd, Error *ret_error) {
        int fd = path_open_beneath(file->dir_fd, file->name, O_RDONLY | O_NOFOLLOW, 0);

        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open the archive \"%s\"",
                                       file->path);
        *ret_fd = fd;
        return 0;
}

int archive_file_get_dir(const ArchiveFile *file) {
        return file->dir_fd;
}

int archive_file_sync_name(const ArchiveFile *file, Error *ret_error) {
        if (fsync(file->dir_fd) < 0)
                return error_set_errno(ret_error, errno, "Cannot write \"%s\" to disk", file->path);
        return 0;
}

void archive_file_remove(const ArchiveFile *file) {
        int r = path_remove_file(file->dir_fd, file->name);

        if (r < 0)
                log_warning("Cannot remove \"%s\": %s", file->path, g_strerror(-r));
}
