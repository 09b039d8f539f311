/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/volume-place.h"

/* The copy under the unfinished name, on disk. */
static int replace_clone(Pool *pool, int source_fd, const VolumePlace *place, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r = -EOPNOTSUPP;

        if (pool->driver->clone_at_once)
                r = pool->driver->clone_at_once(source_fd, place->dir_fd, place->unfinished,
                                                false);
        if (r != -EOPNOTSUPP)
                return r;
        r = volume_place_clone(pool, source_fd, place, &fd, ret_error);
        if (r >= 0 && syncfs(fd) < 0)
                r = -errno;
        return r;
}

static int rename_within(const VolumePlace *place, const char *from, const char *to) {
        return volume_place_rename(place->dir_fd, from, place->dir_fd, to);
}

/* What has the kept one's name is garbage as long as the volume itself is there. */
static int replace_exchange(Pool *pool, const VolumePlace *place) {
        int r = 0;

        if (faccessat(place->dir_fd, place->name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0) {
                r = pool->driver->remove(place->dir_fd, place->deleted);
                if (r >= 0)
                        r = rename_within(place, place->name, place->deleted);
        }
        if (r >= 0)
                r = rename_within(place, place->unfinished, place->name);
        return r < 0 ? r : volume_place_sync(place->dir_fd);
}

int volume_replace(Pool *pool, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                   const char *to, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int source_fd = -EBADF;
        int r;

        r = volume_open(pool, from_kind, from, &source_fd, ret_error);
        if (r >= 0)
                r = volume_find(pool, to_kind, to, true, &place, ret_error);
        if (r < 0)
                return r;
        r = pool->driver->remove(place.dir_fd, place.unfinished);
        if (r >= 0)
                r = replace_clone(pool, source_fd, &place, ret_error);
        if (r >= 0)
                r = replace_exchange(pool, &place);
        return r < 0 ? volume_error(pool, to_kind, "replace", to, r, ret_error) : 0;
}

int volume_replace_with_new(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        fd = volume_place_open(pool, &place, place.unfinished, false);
        r = fd < 0 ? fd : syncfs(fd) < 0 ? -errno : 0;
        if (r >= 0)
                r = replace_exchange(pool, &place);
        return r < 0 ? volume_error(pool, kind, "replace", name, r, ret_error) : 0;
}

int volume_replace_undo(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        if (faccessat(place.dir_fd, place.deleted, F_OK, AT_SYMLINK_NOFOLLOW) >= 0) {
                r = pool->driver->remove(place.dir_fd, place.unfinished);
                if (r >= 0)
                        r = rename_within(&place, place.name, place.unfinished);
                if (r >= 0 || r == -ENOENT)
                        r = rename_within(&place, place.deleted, place.name);
        }
        if (r >= 0)
                r = volume_place_sync(place.dir_fd);
        if (r >= 0)
                r = pool->driver->remove(place.dir_fd, place.unfinished);
        return r < 0 ? volume_error(pool, kind, "put back", name, r, ret_error) : 0;
}

int volume_replace_end(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        r = pool->driver->remove(place.dir_fd, place.deleted);
        return r < 0 ? volume_error(pool, kind, "delete the old files of", name, r, ret_error) : 0;
}
