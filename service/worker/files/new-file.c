/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/new-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "service/util/cleanup.h"

#define NAME_TRIES 16

static char *temporary_name(void) {
        return g_strdup_printf(".berth-%08x%08x", g_random_int(), g_random_int());
}

int new_file_open(const Inside *inside, int dir_fd, NewFile *ret) {
        *ret = (NewFile) { .inside = inside, .dir_fd = dir_fd };

        ret->fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (ret->fd >= 0)
                return 0;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
                return -errno;
        ret->temporary = temporary_name();
        ret->fd = openat(dir_fd, ret->temporary,
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (ret->fd < 0) {
                g_clear_pointer(&ret->temporary, g_free);
                return -errno;
        }
        return 0;
}

void new_file_done(NewFile *file) {
        if (file->temporary)
                (void) unlinkat(file->dir_fd, file->temporary, 0);
        g_clear_pointer(&file->temporary, g_free);
        file->fd = fd_close(file->fd);
}

static int link_as(const NewFile *file, const char *name) {
        char number[16];

        (void) g_snprintf(number, sizeof(number), "%d", file->fd);
        return linkat(file->inside->self_fd, number, file->dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ?
                       -errno :
                       0;
}

/* A name that is free is taken at once; else the file gets one beside it, and is renamed over what
 * is there. */
static int give_name(NewFile *file, const char *name) {
        int r = -EEXIST;

        if (!file->temporary) {
                r = link_as(file, name);
                for (int i = 0; r == -EEXIST && i < NAME_TRIES; i++) {
                        g_autofree char *temporary = temporary_name();

                        r = link_as(file, temporary);
                        if (r >= 0)
                                file->temporary = TAKE_PTR(temporary);
                }
                if (r < 0 || !file->temporary)
                        return r;
        }
        if (renameat(file->dir_fd, file->temporary, file->dir_fd, name) < 0)
                return -errno;
        g_clear_pointer(&file->temporary, g_free);
        return 0;
}

int new_file_commit(NewFile *file, const char *name, const struct stat *old, NewFileOwner owner,
                    mode_t fallback_mode, const char *path, Error *ret_error) {
        uint32_t uid = owner.has_uid ? owner.uid : old ? old->st_uid : 0;
        uint32_t gid = owner.has_gid ? owner.gid : old ? old->st_gid : 0;
        mode_t mode = owner.has_mode ? owner.mode : old ? old->st_mode : fallback_mode;
        int r;

        if (fchown(file->fd, uid, gid) < 0) {
                if (errno == EINVAL)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "The container has no user %u or no group %u; give others "
                                         "for \"%s\"",
                                         uid, gid, path);
                return error_set_errno(ret_error, errno, "\"%s\" can't be given to user %u", path,
                                       uid);
        }
        /* After the owner, a change of which takes the set-user-id bit away. */
        if (fchmod(file->fd, mode & 07777) < 0)
                return error_set_errno(ret_error, errno, "\"%s\" can't be given mode %o", path,
                                       mode & 07777);
        r = give_name(file, name);
        if (r == -EBUSY)
                return error_set(ret_error, ERROR_BUSY,
                                 "Something is mounted on \"%s\" in the container", path);
        if (r < 0)
                return error_set_errno(ret_error, -r, "\"%s\" can't be put in place", path);
        return 0;
}
