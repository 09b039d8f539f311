/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/volume-place.h"

int volume_get_size(Pool *pool, VolumeKind kind, const char *name, uint64_t *ret_used,
                    uint64_t *ret_size, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r = volume_open(pool, kind, name, &fd, ret_error);

        if (r < 0)
                return r;
        r = pool->driver->get_size(fd, ret_used, ret_size);
        return r < 0 && r != -ENODATA
                       ? volume_error(pool, kind, "look at the size of", name, r, ret_error)
                       : r;
}

/* Without a count there is none to compare with before the limit is set: so it is set, and taken
 * back. */
static int check_room(Pool *pool, int fd, uint64_t size, uint64_t old, Error *ret_error) {
        g_autofree char *has = NULL, *wanted = NULL;
        uint64_t used, unused;
        int r = pool->driver->get_size(fd, &used, &unused);

        if (r < 0 || used <= size)
                return r;
        (void) pool->driver->set_size(pool->fd, fd, old, NULL);
        has = size_format(used);
        wanted = size_format(size);
        return error_set(ret_error, ERROR_NO_SPACE, "it holds %s, which is more than %s", has,
                         wanted);
}

/* Where the size is that of the volume itself. */
static int resize(Pool *pool, VolumeKind kind, const char *name, uint64_t size, bool room,
                  Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int r = volume_find(pool, kind, name, false, &place, ret_error);

        if (r >= 0)
                r = pool->driver->resize(place.dir_fd, place.name, size, room, ret_error);
        if (r == -ENOENT)
                return volume_error_missing(pool, kind, name, ret_error);
        return r < 0 ? volume_error(pool, kind, "change the size of", name, r, ret_error) : 0;
}

int volume_set_size(Pool *pool, VolumeKind kind, const char *name, uint64_t size, bool room,
                    Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        uint64_t used, old = 0;
        int r;

        if (pool->driver->resize)
                return resize(pool, kind, name, size, room, ret_error);
        r = volume_open(pool, kind, name, &fd, ret_error);
        if (r < 0)
                return r;
        if (room && size > 0 && pool->driver->get_size(fd, &used, &old) < 0)
                old = 0;
        r = pool->driver->set_size(pool->fd, fd, size, ret_error);
        if (r < 0)
                return volume_error(pool, kind, "limit the size of", name, r, ret_error);
        if (!room || size == 0)
                return 0;
        r = check_room(pool, fd, size, old, ret_error);
        return r < 0 ? volume_error(pool, kind, "limit the size of", name, r, ret_error) : 0;
}
