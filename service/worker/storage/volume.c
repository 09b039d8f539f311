/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/tree.h"
#include "service/worker/storage/volume-place.h"

int volume_open(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int fd, r;

        r = volume_find(pool, kind, name, false, &place, ret_error);
        if (r < 0 && r != -ENOENT)
                return r;
        fd = r < 0 ? r
                   : volume_place_open(pool, &place, place.name, volume_kind_is_read_only(kind));
        if (fd == -ENOENT)
                return volume_error_missing(pool, kind, name, ret_error);
        if (fd < 0)
                return volume_error(pool, kind, "open", name, fd, ret_error);
        *ret_fd = fd;
        return 0;
}

int volume_begin_sized(Pool *pool, VolumeKind kind, const char *name, uint64_t size, int *ret_fd,
                       Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        r = pool->driver->remove(place.dir_fd, place.unfinished);
        if (r >= 0)
                r = pool->driver->create(place.dir_fd, place.unfinished, size, ret_error);
        if (r >= 0) {
                fd = volume_place_open(pool, &place, place.unfinished, false);
                r = fd < 0 ? fd : fchmod(fd, 0755) < 0 ? -errno : 0;
        }
        if (r < 0) {
                (void) pool->driver->remove(place.dir_fd, place.unfinished);
                return volume_error(pool, kind, "make", name, r, ret_error);
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int volume_begin(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error) {
        return volume_begin_sized(pool, kind, name, 0, ret_fd, ret_error);
}

int volume_commit(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        fd = volume_place_open(pool, &place, place.unfinished, false);
        r = fd < 0 ? fd : 0;
        if (r >= 0 && volume_kind_is_read_only(kind) && pool->driver->seal)
                r = pool->driver->seal(fd);
        if (r >= 0 && syncfs(fd) < 0)
                r = -errno;
        if (r >= 0)
                r = volume_place_rename(place.dir_fd, place.unfinished, place.dir_fd, place.name);
        if (r >= 0)
                r = volume_place_sync(place.dir_fd);
        return r < 0 ? volume_error(pool, kind, "make", name, r, ret_error) : 0;
}

int volume_abort(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int r;

        r = volume_find(pool, kind, name, false, &place, ret_error);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = pool->driver->remove(place.dir_fd, place.unfinished);
        return r < 0 ? volume_error(pool, kind, "remove unfinished", name, r, ret_error) : 0;
}

/* Opens the source and the target's place, and removes what an earlier try has left there. */
static int clone_prepare(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                         const char *to, int *ret_source_fd, VolumePlace *ret, Error *ret_error) {
        _cleanup_close_ int source_fd = -EBADF;
        struct stat st;
        int r;

        r = volume_open(pool, from_kind, from, &source_fd, ret_error);
        if (r < 0)
                return r;
        r = volume_find(pool, to_kind, to, true, ret, ret_error);
        if (r < 0)
                return r;
        if (fstatat(ret->dir_fd, ret->name, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                r = -EEXIST;
        else if (errno != ENOENT)
                r = -errno;
        else
                r = pool->driver->remove(ret->dir_fd, ret->unfinished);
        if (r < 0)
                return volume_error(pool, to_kind, "make", to, r, ret_error);
        *ret_source_fd = TAKE_FD(source_fd);
        return 0;
}

int volume_clone_begin(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                       const char *to, int *ret_fd, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int source_fd = -EBADF;
        int r;

        r = clone_prepare(pool, from_kind, from, to_kind, to, &source_fd, &place, ret_error);
        if (r < 0)
                return r;
        r = volume_place_clone(pool, source_fd, &place, ret_fd, ret_error);
        return r < 0 ? volume_error(pool, to_kind, "make", to, r, ret_error) : 0;
}

int volume_clone(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                 const char *to, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int source_fd = -EBADF, fd = -EBADF;
        int r;

        r = clone_prepare(pool, from_kind, from, to_kind, to, &source_fd, &place, ret_error);
        if (r < 0)
                return r;
        if (pool->driver->clone_at_once) {
                r = pool->driver->clone_at_once(source_fd, place.dir_fd, place.name,
                                                volume_kind_is_read_only(to_kind));
                if (r >= 0)
                        return 0;
                if (r != -EOPNOTSUPP)
                        return volume_error(pool, to_kind, "make", to, r, ret_error);
        }
        r = volume_place_clone(pool, source_fd, &place, &fd, ret_error);
        if (r < 0)
                return volume_error(pool, to_kind, "make", to, r, ret_error);
        r = volume_commit(pool, to_kind, to, ret_error);
        if (r < 0)
                (void) pool->driver->remove(place.dir_fd, place.unfinished);
        return r;
}

int volume_copy_begin(Pool *from_pool, VolumeKind from_kind, const char *from, Pool *to_pool,
                      VolumeKind to_kind, const char *to, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int source_fd = -EBADF, fd = -EBADF;
        int r;

        r = volume_open(from_pool, from_kind, from, &source_fd, ret_error);
        if (r >= 0)
                r = volume_begin(to_pool, to_kind, to, &fd, ret_error);
        if (r < 0)
                return r;
        r = tree_copy(source_fd, fd, ret_error);
        if (r < 0) {
                (void) volume_abort(to_pool, to_kind, to, NULL);
                return volume_error(to_pool, to_kind, "make", to, r, ret_error);
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}
