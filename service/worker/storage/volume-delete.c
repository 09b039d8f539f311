/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/sweep.h"
#include "service/worker/storage/volume-place.h"

/* Where it does not go in one step, takes the name away first, so that there is never half a
 * volume of that name. Where the disk is so full that not even that works, it goes as it is. */
static int delete_volume(Pool *pool, const VolumePlace *place) {
        int r = -EOPNOTSUPP;

        if (pool->driver->remove_at_once)
                r = pool->driver->remove_at_once(place->dir_fd, place->name);
        if (r != -EOPNOTSUPP)
                return r < 0 ? r : volume_place_sync(place->dir_fd);

        r = pool->driver->remove(place->dir_fd, place->deleted);
        if (r < 0)
                return r;
        r = volume_place_rename(place->dir_fd, place->name, place->dir_fd, place->deleted);
        if (r >= 0) {
                r = volume_place_sync(place->dir_fd);
                return r < 0 ? r : pool->driver->remove(place->dir_fd, place->deleted);
        }
        if (r != -ENOSPC && r != -EDQUOT)
                return r;
        r = pool->driver->remove(place->dir_fd, place->name);
        return r < 0 ? r : volume_place_sync(place->dir_fd);
}

static void remove_empty_snapshots(Pool *pool, VolumeKind kind, const char *name) {
        g_autofree char *parent = g_strndup(name, strcspn(name, "/"));
        _cleanup_close_ int fd = volume_place_open_directory(pool, kind, NULL, false);

        if (fd >= 0)
                (void) unlinkat(fd, parent, AT_REMOVEDIR);
}

int volume_delete(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, false, &place, ret_error);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = pool->driver->remove(place.dir_fd, place.unfinished);
        if (r >= 0) {
                fd = volume_place_find(&place, place.name);
                if (fd == -ENOENT)
                        r = pool->driver->remove(place.dir_fd, place.deleted);
                else
                        r = fd < 0 ? fd : delete_volume(pool, &place);
        }
        if (r < 0)
                return volume_error(pool, kind, "delete", name, r, ret_error);
        if (volume_kind_is_snapshot(kind))
                remove_empty_snapshots(pool, kind, name);
        return 0;
}

/* --- All snapshots of one volume --- */

int volume_delete_snapshots(Pool *pool, VolumeKind kind, const char *parent, Error *ret_error) {
        _cleanup_close_ int kind_fd = -EBADF, fd = -EBADF;
        int r = 0;

        if (!volume_name_is_valid(parent))
                return volume_error_name(kind, parent, ret_error);
        fd = volume_place_open_directory(pool, kind, parent, false);
        if (fd == -ENOENT)
                return 0;
        kind_fd = volume_place_open_directory(pool, kind, NULL, false);
        r = fd < 0 ? fd : kind_fd < 0 ? kind_fd : sweep_volumes(pool->driver, fd);
        if (r >= 0 && unlinkat(kind_fd, parent, AT_REMOVEDIR) < 0)
                r = -errno;
        if (r >= 0)
                r = volume_place_sync(kind_fd);
        return r < 0 ? volume_error(pool, kind, "delete every", parent, r, ret_error) : 0;
}

int volume_rename_snapshots(Pool *pool, VolumeKind kind, const char *parent, const char *name,
                            Error *ret_error) {
        _cleanup_close_ int fd = volume_place_open_directory(pool, kind, NULL, false);
        int r;

        if (!volume_name_is_valid(parent) || !volume_name_is_valid(name))
                return volume_error_name(kind, name, ret_error);
        r = fd < 0 ? fd : volume_place_rename(fd, parent, fd, name);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = volume_place_sync(fd);
        return r < 0 ? volume_error(pool, kind, "move every", parent, r, ret_error) : 0;
}

int volume_rename(Pool *pool, VolumeKind kind, const char *name, const char *new_name,
                  Error *ret_error) {
        g_auto(VolumePlace) from = VOLUME_PLACE_INIT, to = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF, new_fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, false, &from, ret_error);
        if (r >= 0)
                r = volume_find(pool, kind, new_name, false, &to, ret_error);
        if (r == -ENOENT)
                return volume_error_missing(pool, kind, name, ret_error);
        if (r < 0)
                return r;

        fd = volume_place_find(&from, from.name);
        if (fd == -ENOENT) {
                new_fd = volume_place_find(&to, to.name);
                if (new_fd < 0)
                        return volume_error_missing(pool, kind, name, ret_error);
        } else {
                r = fd < 0 ? fd : volume_place_rename(from.dir_fd, from.name, to.dir_fd, to.name);
                if (r == -EEXIST)
                        return volume_error(pool, kind, "make", new_name, r, ret_error);
        }
        if (r >= 0)
                r = volume_place_sync(to.dir_fd);
        if (r >= 0)
                r = volume_place_sync(from.dir_fd);
        return r < 0 ? volume_error(pool, kind, "rename", name, r, ret_error) : 0;
}
