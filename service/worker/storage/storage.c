/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/mount.h"
#include "service/worker/storage/sweep.h"
#include "service/worker/storage/tree.h"

typedef struct VolumeKindInfo {
        const char *directory;
        const char *title; /* in messages */
} VolumeKindInfo;

static const VolumeKindInfo volume_kinds[] = {
        [VOLUME_IMAGE] = { "images", "image" },
        [VOLUME_CONTAINER] = { "containers", "container" },
        [VOLUME_SNAPSHOT] = { "snapshots", "snapshot" },
        [VOLUME_CUSTOM] = { "custom", "volume" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(volume_kinds) == _VOLUME_KIND_MAX);

/* Where a volume is, and under which names. */
typedef struct VolumePlace {
        int dir_fd;
        char *name;
        char *unfinished;
        char *deleted;
} VolumePlace;

#define VOLUME_PLACE_INIT ((VolumePlace) { .dir_fd = -EBADF })

static void volume_place_done(VolumePlace *place) {
        place->dir_fd = fd_close(place->dir_fd);
        g_clear_pointer(&place->name, g_free);
        g_clear_pointer(&place->unfinished, g_free);
        g_clear_pointer(&place->deleted, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumePlace, volume_place_done)

const char *volume_kind_directory(VolumeKind kind) {
        return volume_kinds[kind].directory;
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

/* --- Pools ------------------------------------------------------------------------------- */

const PoolDriver *pool_driver_find(const char *name) {
        static const PoolDriver *const drivers[] = { &pool_driver_btrfs, &pool_driver_dir };

        for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
                if (g_str_equal(drivers[i]->name, name))
                        return drivers[i];
        return NULL;
}

static int pool_open_root(const char *name, const PoolDriver *driver, const char *path,
                          int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = path_open_dir(path);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open storage pool \"%s\" at \"%s\"",
                                       name, path);
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Storage pool \"%s\" is not used: \"%s\" can be written by others "
                                 "than root", name, path);
        r = driver->check(fd);
        if (r >= 0 && faccessat(fd, volume_kinds[VOLUME_CONTAINER].directory, F_OK,
                                AT_SYMLINK_NOFOLLOW) < 0)
                r = -errno;
        if (r < 0)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Storage pool \"%s\" is not available: there is no %s pool at "
                                 "\"%s\", maybe it is not mounted", name, driver->name, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int pool_open_named(const char *name, const char *driver_name, const char *path, Pool **ret,
                    Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        int r;

        pool = g_new(Pool, 1);
        *pool = (Pool) {
                .name = g_strdup(name),
                .driver = pool_driver_find(driver_name),
                .fd = -EBADF,
                .can_idmap = -1,
        };
        if (!pool->driver || path[0] != '/')
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Storage pool \"%s\" has an unknown driver \"%s\" or no path",
                                 name, driver_name);
        r = pool_open_root(name, pool->driver, path, &pool->fd, ret_error);
        if (r < 0)
                return r;
        while (flock(pool->fd, LOCK_SH) < 0) {
                if (errno != EINTR)
                        return error_set_errno(ret_error, errno,
                                               "Cannot lock storage pool \"%s\"", name);
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
        }
        *ret = TAKE_PTR(pool);
        return 0;
}

int pool_open(Worker *worker, Pool **ret, Error *ret_error) {
        const char *name, *driver_name, *path;
        int r;

        r = worker_get_string(worker, "pool", &name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "pool-driver", &driver_name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "pool-path", &path, ret_error);
        if (r < 0)
                return r;
        return pool_open_named(name, driver_name, path, ret, ret_error);
}

int pool_open_source(Worker *worker, Pool **ret, Error *ret_error) {
        const char *name, *driver_name, *path;
        int r;

        r = worker_get_string(worker, "from-pool", &name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "from-driver", &driver_name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "from-path", &path, ret_error);
        if (r < 0)
                return r;
        return pool_open_named(name, driver_name, path, ret, ret_error);
}

Pool *pool_free(Pool *pool) {
        if (!pool)
                return NULL;
        (void) fd_close(pool->fd);
        g_free(pool->name);
        g_free(pool);
        return NULL;
}

bool pool_can_idmap(Pool *pool) {
        if (pool->can_idmap < 0) {
                int r = mount_can_idmap(pool->fd);

                if (r < 0)
                        log_warning("Cannot try idmapped mounts on storage pool \"%s\", going "
                                    "without: %s", pool->name, g_strerror(-r));
                pool->can_idmap = r > 0;
        }
        return pool->can_idmap;
}

/* --- Volumes ----------------------------------------------------------------------------- */

static int volume_name_error(VolumeKind kind, const char *name, Error *ret_error) {
        g_autofree char *shown = g_strescape(name, NULL);

        return error_set(ret_error, ERROR_INVALID_NAME, "The name \"%s\" cannot be that of the %s",
                         shown, volume_kinds[kind].title);
}

/* The directory that holds the snapshots of a container, made if it is not there. */
static int open_snapshots(int kind_fd, const char *container, bool make) {
        if (make)
                return path_make_dir(kind_fd, container, 0700);
        return path_open_beneath(kind_fd, container, O_RDONLY | O_DIRECTORY, 0);
}

static int open_place(Pool *pool, VolumeKind kind, const char *container, bool make) {
        _cleanup_close_ int fd = -EBADF;

        fd = path_open_beneath(pool->fd, volume_kinds[kind].directory, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return fd;
        return container ? open_snapshots(fd, container, make) : TAKE_FD(fd);
}

/* Checks the name and opens the directory that the volume is or will be in. -ENOENT, without a
 * message, where there is no such directory and it was not to be made. */
static int volume_find(Pool *pool, VolumeKind kind, const char *name, bool make, VolumePlace *ret,
                       Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        g_autofree char *container = NULL;
        const char *last = name;

        if (kind == VOLUME_SNAPSHOT) {
                const char *slash = strchr(name, '/');

                if (!slash)
                        return volume_name_error(kind, name, ret_error);
                container = g_strndup(name, (gsize) (slash - name));
                last = slash + 1;
        }
        if ((container && !volume_name_is_valid(container)) || !volume_name_is_valid(last))
                return volume_name_error(kind, name, ret_error);

        place.dir_fd = open_place(pool, kind, container, make);
        if (place.dir_fd == -ENOENT && !make)
                return -ENOENT;
        if (place.dir_fd < 0)
                return error_set_errno(ret_error, -place.dir_fd,
                                       "Cannot open the %s directory of storage pool \"%s\"",
                                       volume_kinds[kind].title, pool->name);
        place.name = g_strdup(last);
        place.unfinished = g_strdup_printf(".%s.new", last);
        place.deleted = g_strdup_printf(".%s.old", last);
        *ret = place;
        place = VOLUME_PLACE_INIT;
        return 0;
}

/* "Cannot VERB TITLE "NAME" in storage pool "POOL": why" */
static int volume_error(Pool *pool, VolumeKind kind, const char *verb, const char *name, int r,
                        Error *ret_error) {
        if (ret_error && ret_error->message) {
                if (ret_error->code != ERROR_CANCELLED)
                        error_prefix(ret_error, "Cannot %s %s \"%s\" in storage pool \"%s\"", verb,
                                     volume_kinds[kind].title, name, pool->name);
                return r;
        }
        if (r == -EEXIST)
                return error_set(ret_error, ERROR_EXISTS,
                                 "Cannot %s %s \"%s\" in storage pool \"%s\": there is one already",
                                 verb, volume_kinds[kind].title, name, pool->name);
        if (r == -ELOOP || r == -ENOTDIR)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot %s %s \"%s\" in storage pool \"%s\": what is there is not "
                                 "a volume", verb, volume_kinds[kind].title, name, pool->name);
        return error_set_errno(ret_error, -r, "Cannot %s %s \"%s\" in storage pool \"%s\"", verb,
                               volume_kinds[kind].title, name, pool->name);
}

static int volume_missing(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        return error_set(ret_error, ERROR_NO_SUCH_VOLUME,
                         "There is no %s \"%s\" in storage pool \"%s\"", volume_kinds[kind].title,
                         name, pool->name);
}

static int open_volume(const VolumePlace *place, const char *name) {
        return path_open_beneath(place->dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
}

int volume_open(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        int fd, r;

        r = volume_find(pool, kind, name, false, &place, ret_error);
        if (r < 0 && r != -ENOENT)
                return r;
        fd = r < 0 ? r : open_volume(&place, place.name);
        if (fd == -ENOENT)
                return volume_missing(pool, kind, name, ret_error);
        if (fd < 0)
                return volume_error(pool, kind, "open", name, fd, ret_error);
        *ret_fd = fd;
        return 0;
}

int volume_begin(Pool *pool, VolumeKind kind, const char *name, int *ret_fd, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        r = pool->driver->remove(place.dir_fd, place.unfinished);
        if (r >= 0)
                r = pool->driver->create(place.dir_fd, place.unfinished);
        if (r >= 0) {
                fd = open_volume(&place, place.unfinished);
                r = fd < 0 ? fd : fchmod(fd, 0755) < 0 ? -errno : 0;
        }
        if (r < 0) {
                (void) pool->driver->remove(place.dir_fd, place.unfinished);
                return volume_error(pool, kind, "make", name, r, ret_error);
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int rename_new(int from_fd, const char *from, int to_fd, const char *to) {
        return renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int sync_directory(int fd) {
        return fsync(fd) < 0 ? -errno : 0;
}

int volume_commit(Pool *pool, VolumeKind kind, const char *name, Error *ret_error) {
        g_auto(VolumePlace) place = VOLUME_PLACE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = volume_find(pool, kind, name, true, &place, ret_error);
        if (r < 0)
                return r;
        fd = open_volume(&place, place.unfinished);
        r = fd < 0 ? fd : 0;
        if (r >= 0 && kind == VOLUME_SNAPSHOT && pool->driver->seal)
                r = pool->driver->seal(fd);
        if (r >= 0 && syncfs(fd) < 0)
                r = -errno;
        if (r >= 0)
                r = rename_new(place.dir_fd, place.unfinished, place.dir_fd, place.name);
        if (r >= 0)
                r = sync_directory(place.dir_fd);
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

static int clone_unfinished(Pool *pool, int source_fd, const VolumePlace *place, int *ret_fd,
                            Error *ret_error) {
        int fd, r;

        r = pool->driver->clone(source_fd, place->dir_fd, place->unfinished, ret_error);
        if (r < 0) {
                (void) pool->driver->remove(place->dir_fd, place->unfinished);
                return r;
        }
        fd = open_volume(place, place->unfinished);
        if (fd < 0)
                return fd;
        *ret_fd = fd;
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
        r = clone_unfinished(pool, source_fd, &place, ret_fd, ret_error);
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
                                                to_kind == VOLUME_SNAPSHOT);
                if (r >= 0)
                        return 0;
                if (r != -EOPNOTSUPP)
                        return volume_error(pool, to_kind, "make", to, r, ret_error);
        }
        r = clone_unfinished(pool, source_fd, &place, &fd, ret_error);
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

/* --- Replacing --- */

/* The copy under the unfinished name, on disk. */
static int replace_clone(Pool *pool, int source_fd, const VolumePlace *place, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r = -EOPNOTSUPP;

        if (pool->driver->clone_at_once)
                r = pool->driver->clone_at_once(source_fd, place->dir_fd, place->unfinished,
                                                false);
        if (r != -EOPNOTSUPP)
                return r;
        r = clone_unfinished(pool, source_fd, place, &fd, ret_error);
        if (r >= 0 && syncfs(fd) < 0)
                r = -errno;
        return r;
}

/* What has the kept one's name is garbage as long as the volume itself is there. */
static int replace_exchange(Pool *pool, const VolumePlace *place) {
        int r = 0;

        if (faccessat(place->dir_fd, place->name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0) {
                r = pool->driver->remove(place->dir_fd, place->deleted);
                if (r >= 0)
                        r = rename_new(place->dir_fd, place->name, place->dir_fd, place->deleted);
        }
        if (r >= 0)
                r = rename_new(place->dir_fd, place->unfinished, place->dir_fd, place->name);
        return r < 0 ? r : sync_directory(place->dir_fd);
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
        fd = open_volume(&place, place.unfinished);
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
                        r = rename_new(place.dir_fd, place.name, place.dir_fd, place.unfinished);
                if (r >= 0 || r == -ENOENT)
                        r = rename_new(place.dir_fd, place.deleted, place.dir_fd, place.name);
        }
        if (r >= 0)
                r = sync_directory(place.dir_fd);
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

/* --- Sizes --- */

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

int volume_set_size(Pool *pool, VolumeKind kind, const char *name, uint64_t size, bool room,
                    Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        uint64_t used, old = 0;
        int r = volume_open(pool, kind, name, &fd, ret_error);

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

/* --- Deleting --- */

/* Where it does not go in one step, takes the name away first, so that there is never half a
 * volume of that name. Where the disk is so full that not even that works, it goes as it is. */
static int delete_volume(Pool *pool, const VolumePlace *place) {
        int r = -EOPNOTSUPP;

        if (pool->driver->remove_at_once)
                r = pool->driver->remove_at_once(place->dir_fd, place->name);
        if (r != -EOPNOTSUPP)
                return r < 0 ? r : sync_directory(place->dir_fd);

        r = pool->driver->remove(place->dir_fd, place->deleted);
        if (r < 0)
                return r;
        r = rename_new(place->dir_fd, place->name, place->dir_fd, place->deleted);
        if (r >= 0) {
                r = sync_directory(place->dir_fd);
                return r < 0 ? r : pool->driver->remove(place->dir_fd, place->deleted);
        }
        if (r != -ENOSPC && r != -EDQUOT)
                return r;
        r = pool->driver->remove(place->dir_fd, place->name);
        return r < 0 ? r : sync_directory(place->dir_fd);
}

static void remove_empty_snapshots(Pool *pool, const char *name) {
        g_autofree char *container = g_strndup(name, strcspn(name, "/"));
        _cleanup_close_ int fd = open_place(pool, VOLUME_SNAPSHOT, NULL, false);

        if (fd >= 0)
                (void) unlinkat(fd, container, AT_REMOVEDIR);
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
                fd = open_volume(&place, place.name);
                if (fd == -ENOENT)
                        r = pool->driver->remove(place.dir_fd, place.deleted);
                else
                        r = fd < 0 ? fd : delete_volume(pool, &place);
        }
        if (r < 0)
                return volume_error(pool, kind, "delete", name, r, ret_error);
        if (kind == VOLUME_SNAPSHOT)
                remove_empty_snapshots(pool, name);
        return 0;
}

/* --- All snapshots of a container --- */

int volume_delete_snapshots(Pool *pool, const char *container, Error *ret_error) {
        _cleanup_close_ int kind_fd = -EBADF, fd = -EBADF;
        int r = 0;

        if (!volume_name_is_valid(container))
                return volume_name_error(VOLUME_SNAPSHOT, container, ret_error);
        kind_fd = open_place(pool, VOLUME_SNAPSHOT, NULL, false);
        fd = kind_fd < 0 ? kind_fd : open_snapshots(kind_fd, container, false);
        if (fd == -ENOENT)
                return 0;
        r = fd < 0 ? fd : sweep_volumes(pool->driver, fd);
        if (r >= 0 && unlinkat(kind_fd, container, AT_REMOVEDIR) < 0)
                r = -errno;
        if (r >= 0)
                r = sync_directory(kind_fd);
        return r < 0 ? volume_error(pool, VOLUME_SNAPSHOT, "delete every", container, r, ret_error)
                     : 0;
}

int volume_rename_snapshots(Pool *pool, const char *container, const char *name,
                            Error *ret_error) {
        _cleanup_close_ int fd = open_place(pool, VOLUME_SNAPSHOT, NULL, false);
        int r;

        if (!volume_name_is_valid(container) || !volume_name_is_valid(name))
                return volume_name_error(VOLUME_SNAPSHOT, name, ret_error);
        r = fd < 0 ? fd : rename_new(fd, container, fd, name);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = sync_directory(fd);
        return r < 0 ? volume_error(pool, VOLUME_SNAPSHOT, "move every", container, r, ret_error)
                     : 0;
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
                return volume_missing(pool, kind, name, ret_error);
        if (r < 0)
                return r;

        fd = open_volume(&from, from.name);
        if (fd == -ENOENT) {
                new_fd = open_volume(&to, to.name);
                if (new_fd < 0)
                        return volume_missing(pool, kind, name, ret_error);
        } else {
                r = fd < 0 ? fd : rename_new(from.dir_fd, from.name, to.dir_fd, to.name);
                if (r == -EEXIST)
                        return volume_error(pool, kind, "make", new_name, r, ret_error);
        }
        if (r >= 0)
                r = sync_directory(to.dir_fd);
        if (r >= 0)
                r = sync_directory(from.dir_fd);
        return r < 0 ? volume_error(pool, kind, "rename", name, r, ret_error) : 0;
}
