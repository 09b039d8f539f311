/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/place.h"
#include "service/worker/protocol.h"

#define DIRECTORY_MODE 0750
/* What a list may take of a message. */
#define LIST_BYTES_MAX (PROTOCOL_MESSAGE_MAX / 2)

typedef struct EntryCall {
        const char *path;
        bool follow, recursive, parents;
        NewFileOwner owner;
} EntryCall;

static int run(Worker *worker, InsideFunc func, GVariantDict *result, Error *ret_error) {
        EntryCall call = {
                .follow = files_get_flag(worker, "follow"),
                .recursive = files_get_flag(worker, "recursive"),
                .parents = files_get_flag(worker, "parents"),
                .owner = files_get_owner(worker),
        };
        int r = files_get_path(worker, &call.path, ret_error);

        return r < 0 ? r : inside_run(worker, NULL, 0, func, &call, result, ret_error);
}

static int error_missing(const char *path, Error *ret_error) {
        return error_set(ret_error, ERROR_NO_SUCH_FILE,
                         "The container has no file or directory \"%s\"", path);
}

/* --- looking --- */

static int stat_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        const EntryCall *call = userdata;
        _cleanup_close_ int fd = place_open(inside, call->path,
                                            O_PATH | (call->follow ? 0 : O_NOFOLLOW));
        g_autofree char *target = g_malloc0(PATH_MAX);
        struct stat st;

        if (fd == -ENOENT || fd == -ENOTDIR)
                return error_missing(call->path, ret_error);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, fd < 0 ? -fd : errno,
                                       "\"%s\" in the container can't be looked at", call->path);
        place_describe(&st, result);
        if (S_ISLNK(st.st_mode) && readlinkat(fd, "", target, PATH_MAX - 1) > 0 &&
            g_utf8_validate(target, -1, NULL))
                g_variant_dict_insert(result, "target", "s", target);
        return 0;
}

int file_stat(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, stat_inside, result, ret_error);
}

static const char *entry_type(const struct dirent *entry) {
        return entry->d_type == DT_UNKNOWN ? "unknown" : file_type_to_string(DTTOIF(entry->d_type));
}

static int list_inside(const Inside *inside, void *userdata, GVariantDict *result,
                       Error *ret_error) {
        const EntryCall *call = userdata;
        int fd = place_open(inside, call->path, O_RDONLY | O_DIRECTORY);
        GVariantBuilder entries;
        struct dirent *entry;
        gsize bytes = 0;
        DIR *dir;

        if (fd == -ENOENT)
                return error_missing(call->path, ret_error);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                int r = fd < 0 ? fd : -errno;

                fd_close(fd);
                return error_set_errno(ret_error, -r, "\"%s\" in the container can't be listed",
                                       call->path);
        }
        g_variant_builder_init(&entries, G_VARIANT_TYPE("a(ss)"));
        while (bytes <= LIST_BYTES_MAX && (entry = readdir(dir))) {
                if (!path_is_component(entry->d_name) ||
                    !g_utf8_validate(entry->d_name, -1, NULL))
                        continue;
                bytes += strlen(entry->d_name) + 32;
                g_variant_builder_add(&entries, "(ss)", entry->d_name, entry_type(entry));
        }
        (void) closedir(dir);
        g_variant_dict_insert_value(result, "entries", g_variant_builder_end(&entries));
        g_variant_dict_insert(result, "complete", "b", bytes <= LIST_BYTES_MAX);
        return 0;
}

int file_list(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, list_inside, result, ret_error);
}

/* --- changing --- */

static int make_directory_inside(const Inside *inside, void *userdata, GVariantDict *result,
                                 Error *ret_error) {
        const EntryCall *call = userdata;
        mode_t mode = (call->owner.has_mode ? call->owner.mode : DIRECTORY_MODE) & 07777;
        NewOwner owner = {
                call->owner.has_uid ? call->owner.uid : 0,
                call->owner.has_gid ? call->owner.gid : 0,
        };
        g_auto(Place) place = PLACE_INIT;
        int r;

        if (call->parents)
                return place_make_directories(inside, call->path, mode, owner, ret_error);
        r = place_find(inside, call->path, true, &place, ret_error);
        if (r < 0)
                return r;
        if (place.stat.st_mode != 0)
                return error_set(ret_error, ERROR_EXISTS, "The container has \"%s\" already",
                                 call->path);
        return place_make_directories(inside, call->path, mode, owner, ret_error);
}

int file_make_directory(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, make_directory_inside, result, ret_error);
}

static int delete_tree(const Inside *inside, const Place *place) {
        worker_progress(inside->worker, "Deleting", -1);
        return path_remove_tree(place->dir_fd, place->name);
}

static int delete_inside(const Inside *inside, void *userdata, GVariantDict *result,
                         Error *ret_error) {
        const EntryCall *call = userdata;
        g_auto(Place) place = PLACE_INIT;
        bool directory;
        int r;

        r = place_find(inside, call->path, false, &place, ret_error);
        if (r < 0)
                return r;
        if (place.stat.st_mode == 0)
                return error_missing(call->path, ret_error);
        r = inside_begun(inside, NULL);
        if (r < 0)
                return r;
        directory = S_ISDIR(place.stat.st_mode);
        if (directory && call->recursive)
                r = delete_tree(inside, &place);
        else if (unlinkat(place.dir_fd, place.name, directory ? AT_REMOVEDIR : 0) < 0)
                r = -errno;
        if (r == -ENOTEMPTY || r == -EEXIST)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Directory \"%s\" of the container is not empty", call->path);
        if (r == -EBUSY || r == -EXDEV)
                return error_set(ret_error, ERROR_BUSY,
                                 "Something is mounted on or below \"%s\" in the container",
                                 call->path);
        if (r == -ENOENT)
                return error_missing(call->path, ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r, "\"%s\" in the container can't be deleted",
                                       call->path);
        return place_sync(&place, call->path, ret_error);
}

int file_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, delete_inside, result, ret_error);
}
