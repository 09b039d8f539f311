/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/copy.h"

#define NEW_FILE_MODE 0644
#define NEW_DIRECTORY_MODE 0750

typedef struct Transfer {
        const char *path;
        int data_fd; /* the caller's */
        NewFileOwner owner;
        bool make_directories;
} Transfer;

/* --- out of the container --- */

static int pull_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        Transfer *transfer = userdata;
        _cleanup_close_ int fd = -EBADF;
        GVariantDict meta;
        uint64_t size = 0;
        struct stat st;
        int r;

        r = fd = place_open_file(inside, transfer->path, &st, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&meta, NULL);
        place_describe(&st, &meta);
        r = inside_begun(inside, g_variant_dict_end(&meta));
        if (r >= 0)
                r = copy_data(inside, fd, transfer->data_fd, transfer->path, &size, ret_error);
        if (r >= 0)
                g_variant_dict_insert(result, "size", "t", (guint64) size);
        return r;
}

int file_pull(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        Transfer transfer = { .data_fd = fd };
        int r;

        r = files_get_path(worker, &transfer.path, ret_error);
        if (r >= 0)
                r = copy_check_fd(fd, true, ret_error);
        return r < 0 ? r : inside_run(worker, &fd, 1, pull_inside, &transfer, result, ret_error);
}

/* --- into the container --- */

static int make_parent(const Inside *inside, const Transfer *transfer, Error *ret_error) {
        g_autofree char *parent = place_parent(transfer->path);
        NewOwner owner = {
                transfer->owner.has_uid ? transfer->owner.uid : 0,
                transfer->owner.has_gid ? transfer->owner.gid : 0,
        };

        return place_make_directories(inside, parent, NEW_DIRECTORY_MODE, owner, ret_error);
}

static int push_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        Transfer *transfer = userdata;
        g_auto(Place) place = PLACE_INIT; /* holds the directory that the file is in */
        g_auto(NewFile) file = NEW_FILE_INIT;
        bool exists;
        uint64_t size;
        int r = 0;

        if (transfer->make_directories)
                r = make_parent(inside, transfer, ret_error);
        if (r >= 0)
                r = place_find(inside, transfer->path, true, &place, ret_error);
        if (r < 0)
                return r;
        exists = place.stat.st_mode != 0;
        if (exists && !S_ISREG(place.stat.st_mode))
                return place_error_type(transfer->path, place.stat.st_mode, ret_error);
        r = new_file_open(inside, place.dir_fd, &file);
        if (r < 0)
                return error_set_errno(ret_error, -r, "\"%s\" can't be made in the container",
                                       transfer->path);
        r = inside_begun(inside, NULL);
        if (r >= 0)
                r = copy_data(inside, transfer->data_fd, file.fd, transfer->path, &size, ret_error);
        if (r >= 0 && fsync(file.fd) < 0)
                r = error_set_errno(ret_error, errno, "\"%s\" can't be brought to disk",
                                    transfer->path);
        if (r >= 0)
                r = new_file_commit(&file, place.name, exists ? &place.stat : NULL, transfer->owner,
                                    NEW_FILE_MODE, transfer->path, ret_error);
        return r < 0 ? r : place_sync(&place, transfer->path, ret_error);
}

int file_push(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        Transfer transfer = {
                .data_fd = fd,
                .owner = files_get_owner(worker),
                .make_directories = files_get_flag(worker, "make-directories"),
        };
        int r;

        r = files_get_path(worker, &transfer.path, ret_error);
        if (r >= 0)
                r = copy_check_fd(fd, false, ret_error);
        return r < 0 ? r : inside_run(worker, &fd, 1, push_inside, &transfer, result, ret_error);
}
