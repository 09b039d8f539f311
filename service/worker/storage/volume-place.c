/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/volume-place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/driver.h"

typedef struct VolumeKindInfo {
        const char *directory;
        const char *title;  /* in messages */
        bool snapshots;     /* its names are PARENT/NAME */
        bool writable;      /* although they are snapshots' */
        bool later;         /* pools of earlier versions do not have its directory */
} VolumeKindInfo;

static const VolumeKindInfo kinds[] = {
        [VOLUME_IMAGE] = { "images", "image" },
        [VOLUME_CONTAINER] = { "containers", "container" },
        [VOLUME_SNAPSHOT] = { "snapshots", "snapshot", .snapshots = true },
        [VOLUME_CUSTOM] = { "custom", "volume" },
        [VOLUME_CUSTOM_SNAPSHOT] = { "custom-snapshots", "snapshot", .snapshots = true,
                                     .later = true },
        [VOLUME_STATE] = { "states", "state", .later = true },
        [VOLUME_SNAPSHOT_STATE] = { "snapshot-states", "state of snapshot", .snapshots = true,
                                    .writable = true, .later = true },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == _VOLUME_KIND_MAX);

const VolumeFamily volume_family_container = { VOLUME_CONTAINER, VOLUME_SNAPSHOT,
                                               VOLUME_SNAPSHOT_STATE, "container" };
const VolumeFamily volume_family_custom = { VOLUME_CUSTOM, VOLUME_CUSTOM_SNAPSHOT,
                                            _VOLUME_KIND_MAX, "volume" };
const VolumeFamily volume_family_state = { VOLUME_STATE, _VOLUME_KIND_MAX, _VOLUME_KIND_MAX,
                                           "container" };

const char *volume_kind_directory(VolumeKind kind) {
        return kinds[kind].directory;
}

bool volume_kind_is_snapshot(VolumeKind kind) {
        return kinds[kind].snapshots;
}

bool volume_kind_is_read_only(VolumeKind kind) {
        return kinds[kind].snapshots && !kinds[kind].writable;
}

bool volume_kind_is_later(VolumeKind kind) {
        return kinds[kind].later;
}

bool volume_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n > VOLUME_NAME_MAX || name[0] == '.')
                return false;
        for (const char *p = name; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr("-._", *p))
                        return false;
        return path_is_component(name);
}

void volume_place_done(VolumePlace *place) {
        place->dir_fd = fd_close(place->dir_fd);
        g_clear_pointer(&place->name, g_free);
        g_clear_pointer(&place->unfinished, g_free);
        g_clear_pointer(&place->deleted, g_free);
}

int volume_place_open_directory(Pool *pool, VolumeKind kind, const char *parent, bool make) {
        _cleanup_close_ int fd = -EBADF;

        if (make && kinds[kind].later)
                fd = path_make_dir(pool->fd, kinds[kind].directory, 0700);
        else
                fd = path_open_beneath(pool->fd, kinds[kind].directory, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || !parent)
                return TAKE_FD(fd);
        if (make)
                return path_make_dir(fd, parent, 0700);
        return path_open_beneath(fd, parent, O_RDONLY | O_DIRECTORY, 0);
}

int volume_find(Pool *pool, VolumeKind kind, const char *name, bool make, VolumePlace *ret,
                Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        g_autofree char *parent = NULL;
        const char *last = name;

        if (kinds[kind].snapshots) {
                const char *slash = strchr(name, '/');

                if (!slash)
                        return volume_error_name(kind, name, ret_error);
                parent = g_strndup(name, (gsize) (slash - name));
                last = slash + 1;
        }
        if ((parent && !volume_name_is_valid(parent)) || !volume_name_is_valid(last))
                return volume_error_name(kind, name, ret_error);

        place.dir_fd = volume_place_open_directory(pool, kind, parent, make);
        if (place.dir_fd == -ENOENT && !make)
                return -ENOENT;
        if (place.dir_fd < 0)
                return error_set_errno(ret_error, -place.dir_fd,
                                       "Cannot open the %s directory of storage pool \"%s\"",
                                       kinds[kind].title, pool->name);
        place.name = g_strdup(last);
        place.unfinished = g_strdup_printf(".%s.new", last);
        place.deleted = g_strdup_printf(".%s.old", last);
        *ret = place;
        place = VOLUME_PLACE_INIT;
        return 0;
}

int volume_place_find(const VolumePlace *place, const char *name) {
        return path_open_beneath(place->dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
}

int volume_place_open(Pool *pool, const VolumePlace *place, const char *name, bool read_only) {
        return pool->driver->open ? pool->driver->open(place->dir_fd, name, read_only)
                                  : volume_place_find(place, name);
}

int volume_place_rename(int from_fd, const char *from, int to_fd, const char *to) {
        return renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

int volume_place_sync(int fd) {
        return fsync(fd) < 0 ? -errno : 0;
}

int volume_place_clone(Pool *pool, int source_fd, const VolumePlace *place, int *ret_fd,
                       Error *ret_error) {
        int fd, r;

        r = pool->driver->clone(source_fd, place->dir_fd, place->unfinished, ret_error);
        if (r < 0) {
                (void) pool->driver->remove(place->dir_fd, place->unfinished);
                return r;
        }
        fd = volume_place_open(pool, place, place->unfinished, false);
        if (fd < 0)
                return fd;
        *ret_fd = fd;
        return 0;
}

/* --- errors --- */

int volume_error_name(VolumeKind kind, const char *name, Error *ret_error) {
        g_autofree char *shown = g_strescape(name, NULL);

        return error_set(ret_error, ERROR_INVALID_NAME, "The name \"%s\" cannot be that of the %s",
                         shown, kinds[kind].title);
}

int volume_error(Pool *pool, VolumeKind kind, const char *verb, const char *name, int r,
                 Error *ret_error) {
        const char *title = kinds[kind].title;

        if (ret_error && ret_error->message) {
                if (ret_error->code != ERROR_CANCELLED)
                        error_prefix(ret_error, "Cannot %s %s \"%s\" in storage pool \"%s\"", verb,
                                     title, name, pool->name);
                return r;
        }
        if (r == -EEXIST)
                return error_set(ret_error, ERROR_EXISTS,
                                 "Cannot %s %s \"%s\" in storage pool \"%s\": there is one already",
                                 verb, title, name, pool->name);
        if (r == -ELOOP || r == -ENOTDIR)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot %s %s \"%s\" in storage pool \"%s\": what is there is not "
                                 "a volume", verb, title, name, pool->name);
        return error_set_errno(ret_error, -r, "Cannot %s %s \"%s\" in storage pool \"%s\"", verb,
                               title, name, pool->name);
}

int volume_error_missing(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        return error_set(ret_error, ERROR_NO_SUCH_VOLUME,
                         "There is no %s \"%s\" in storage pool \"%s\"", kinds[kind].title, name,
                         pool->name);
}
