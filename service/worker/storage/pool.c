/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/storage/mount.h"
#include "service/worker/storage/pool-disk.h"
#include "service/worker/storage/pool-lvm.h"
#include "service/worker/storage/pool-source.h"
#include "service/worker/storage/sweep.h"

/* --- Mount point and layout -------------------------------------------------------------- */

/* Opens what is at the pool's path: the root of the mount where there is one. */
static int open_mount_point(const PoolSource *source) {
        int fd = openat(source->pools_fd, source->pool,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int make_layout(int fd, Error *ret_error) {
        for (VolumeKind kind = 0; kind < _VOLUME_KIND_MAX; kind++) {
                const char *name = volume_kind_directory(kind);
                _cleanup_close_ int directory_fd = path_make_dir(fd, name, 0700);

                if (directory_fd < 0)
                        return error_set_errno(ret_error, -directory_fd,
                                               "Cannot make the directory \"%s\"", name);
        }
        if (syncfs(fd) < 0)
                return error_set_errno(ret_error, errno, "Cannot write the directories to disk");
        return 0;
}

static int check_layout(const PoolSource *source, int fd, Error *ret_error) {
        for (VolumeKind kind = 0; kind < _VOLUME_KIND_MAX; kind++) {
                const char *name = volume_kind_directory(kind);
                _cleanup_close_ int directory_fd =
                        path_open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0);
                struct stat st;

                if (directory_fd == -ENOENT && volume_kind_is_later(kind))
                        continue;
                if (directory_fd == -ENOENT)
                        return error_set(ret_error, ERROR_BACKEND_FAILED,
                                         "There is no pool in \"%s\" (no directory \"%s\"); maybe "
                                         "its filesystem is not mounted", source->path, name);
                if (directory_fd < 0 || fstat(directory_fd, &st) < 0)
                        return directory_fd < 0 ? directory_fd : -errno;
                if (st.st_uid != 0 || (st.st_mode & 0077))
                        return error_set(ret_error, ERROR_BACKEND_FAILED,
                                         "The directory \"%s\" in \"%s\" is not root's alone", name,
                                         source->path);
        }
        return 0;
}

/* Mounts the source at the pool's path; undoes it if what comes up there is not as it should be.
 * The fd is that of the mounted root. */
static int mount_source(PoolSource *source, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int target_fd = open_mount_point(source), fd = -EBADF;
        int r;

        if (target_fd < 0)
                return error_set_errno(ret_error, -target_fd,
                                       "Cannot open the mount point of storage pool \"%s\"",
                                       source->pool);
        r = pool_source_mount(source, target_fd, ret_error);
        if (r < 0)
                return r;
        fd = open_mount_point(source);
        if (fd < 0) {
                (void) mount_end(source->pools_fd, source->pool);
                return fd;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int end_mount(PoolSource *source, Error *ret_error) {
        int r = mount_end(source->pools_fd, source->pool);

        return r < 0 ? r : pool_source_release(source, ret_error);
}

static int remove_mount_point(const PoolSource *source) {
        if (unlinkat(source->pools_fd, source->pool, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return -errno;
        return fsync(source->pools_fd) < 0 ? -errno : 0;
}

/* --- Creating ---------------------------------------------------------------------------- */

/* What has been done so far; everything not disarmed is undone, last first. */
typedef struct Creation {
        PoolSource *source;
        bool has_mount_point;
        bool has_source;
        bool has_mount;
        int root_fd;
} Creation;

static void creation_warn(const Creation *creation, const char *what, int r) {
        if (r < 0)
                log_warning("Cannot %s of storage pool \"%s\" again: %s", what,
                            creation->source->pool, g_strerror(-r));
}

static void creation_undo(Creation *creation) {
        if (creation->has_mount) {
                creation_warn(creation, "remove the directories",
                              sweep_all(creation->source->driver, creation->root_fd));
                creation->root_fd = fd_close(creation->root_fd);
                creation_warn(creation, "end the mount", end_mount(creation->source, NULL));
        }
        if (creation->has_source)
                creation_warn(creation, "free the source",
                              pool_source_unmake(creation->source, NULL));
        if (creation->has_mount_point)
                creation_warn(creation, "remove the mount point",
                              remove_mount_point(creation->source));
        *creation = (Creation) { .root_fd = -EBADF };
}

static void creation_done(Creation *creation) {
        if (creation->source)
                creation_undo(creation);
        creation->root_fd = fd_close(creation->root_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Creation, creation_done)

static int make_mount_point(Creation *creation, Error *ret_error) {
        PoolSource *source = creation->source;

        if (mkdirat(source->pools_fd, source->pool, 0700) < 0) {
                if (errno == EEXIST)
                        return error_set(ret_error, ERROR_EXISTS,
                                         "Storage pool \"%s\" is there already", source->pool);
                return error_set_errno(ret_error, errno,
                                       "Cannot make the mount point of storage pool \"%s\"",
                                       source->pool);
        }
        creation->has_mount_point = true;
        return fsync(source->pools_fd) < 0 ? -errno : 0;
}

static int create(Worker *worker, Creation *creation, Error *ret_error) {
        PoolSource *source = creation->source;
        int r;

        r = make_mount_point(creation, ret_error);
        if (r < 0)
                return r;
        if (pool_source_is_disk(source))
                worker_progress(worker, "Making the filesystem", -1);
        r = pool_source_make(source, ret_error);
        if (r < 0)
                return r;
        creation->has_source = true;
        if (worker_is_cancelled())
                return worker_cancelled(ret_error);

        r = mount_source(source, &creation->root_fd, ret_error);
        if (r < 0)
                return r;
        creation->has_mount = true;
        r = pool_source_settle(source, creation->root_fd, ret_error);
        if (r >= 0)
                r = make_layout(creation->root_fd, ret_error);
        if (r < 0)
                return r;
        return worker_is_cancelled() ? worker_cancelled(ret_error) : 0;
}

int pool_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        g_auto(Creation) creation = { .root_fd = -EBADF };
        int r;

        r = pool_source_read(worker, &source, ret_error);
        if (r < 0)
                return r;
        creation.source = &source;
        r = create(worker, &creation, ret_error);
        if (r < 0) {
                if (r != -ECANCELED)
                        (void) error_set_errno(ret_error, -r, "Cannot create storage pool \"%s\"",
                                               source.pool);
                return r;
        }
        creation.source = NULL;
        g_variant_dict_insert(result, "source", "s", source.path);
        g_variant_dict_insert(result, "uuid", "s", source.uuid);
        g_variant_dict_insert(result, "size", "t",
                              source.kind == POOL_SOURCE_LOOP ? source.size : UINT64_C(0));
        return 0;
}

/* --- Mounting ---------------------------------------------------------------------------- */

/* Positive if the pool is mounted and the fd is open. */
static int check_mount(PoolSource *source, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = open_mount_point(source);
        int r;

        if (fd < 0)
                return fd;
        r = mount_is_root(fd);
        if (r <= 0)
                return r;
        r = pool_source_is_mounted_at(source, fd, ret_error);
        if (r < 0)
                return r;
        if (r == 0)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Something else than \"%s\" is mounted in the place of storage "
                                 "pool \"%s\"", source->path, source->pool);
        *ret_fd = TAKE_FD(fd);
        return 1;
}

static int mount_pool(PoolSource *source, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* A pool of our own is where it is, or has gone; others are found wherever they are. */
        if (source->kind != POOL_SOURCE_OWN) {
                fd = path_make_dir(source->pools_fd, source->pool, 0700);
                if (fd < 0 && fd != -EXDEV)
                        return fd;
                fd = fd_close(fd);
        }
        r = check_mount(source, &fd, ret_error);
        if (r < 0)
                return r;
        if (r == 0) {
                r = mount_source(source, &fd, ret_error);
                if (r < 0)
                        return r;
                r = check_layout(source, fd, ret_error);
                if (r < 0) {
                        fd = fd_close(fd);
                        (void) end_mount(source, NULL);
                        return r;
                }
        }
        r = pool_source_settle(source, fd, ret_error);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int pool_mount(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        g_autoptr(GVariant) kept = NULL;
        g_autofree const char **names = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = pool_source_read(worker, &source, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "kept", "as", &kept, ret_error);
        if (r < 0)
                return r;
        source.adopts = true;
        r = mount_pool(&source, &fd, ret_error);
        if (r < 0) {
                (void) error_set_errno(ret_error, -r, "Cannot mount storage pool \"%s\"",
                                       source.pool);
                return r;
        }
        g_variant_dict_insert(result, "uuid", "s", source.uuid);
        /* What cannot be swept takes room, but the pool is of use. */
        names = g_variant_get_strv(kept, NULL);
        r = sweep_unfinished(source.driver, fd, names);
        if (r < 0)
                log_warning("Cannot sweep storage pool \"%s\": %s", source.pool, g_strerror(-r));
        return 0;
}

static int busy(const PoolSource *source, Error *ret_error) {
        return error_set(ret_error, ERROR_IN_USE,
                         "Storage pool \"%s\" cannot be unmounted: a process on the host works in "
                         "it", source->pool);
}

int pool_unmount(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        int r;

        r = pool_source_read(worker, &source, ret_error);
        if (r < 0)
                return r;
        r = end_mount(&source, ret_error);
        if (r == -EBUSY)
                return busy(&source, ret_error);
        if (r >= 0 && source.kind != POOL_SOURCE_OWN)
                r = remove_mount_point(&source);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot unmount storage pool \"%s\"",
                                       source.pool)
                     : 0;
}

/* --- Growing ----------------------------------------------------------------------------- */

int pool_grow(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = pool_source_read(worker, &source, ret_error);
        if (r < 0)
                return r;
        if (source.kind != POOL_SOURCE_LOOP)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Storage pool \"%s\" is in no loop file: it has the size of "
                                 "\"%s\"", source.pool, source.path);
        r = check_mount(&source, &fd, ret_error);
        if (r == 0)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Storage pool \"%s\" is not mounted", source.pool);
        if (r >= 0)
                r = source.driver == &pool_driver_lvm ? pool_lvm_grow_file(&source, ret_error)
                                                      : pool_disk_grow_file(&source, fd, ret_error);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot make storage pool \"%s\" larger",
                                       source.pool)
                     : 0;
}

/* --- Space ------------------------------------------------------------------------------- */

int pool_space(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(Pool) pool = NULL;
        uint64_t total, used;
        int r = pool_open(worker, &pool, ret_error);

        if (r < 0)
                return r;
        r = pool_lvm_get_space(pool->fd, &total, &used, ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot tell how full storage pool \"%s\" is",
                                       pool->name);
        g_variant_dict_insert(result, "size", "t", total);
        g_variant_dict_insert(result, "used", "t", used);
        return 0;
}

/* --- Deleting ---------------------------------------------------------------------------- */

/* A directory that was given may never have been taken, since it was not empty. All that was made
 * in one that was is empty directories. */
static int undo_layout(int fd) {
        for (VolumeKind kind = 0; kind < _VOLUME_KIND_MAX; kind++)
                if (unlinkat(fd, volume_kind_directory(kind), AT_REMOVEDIR) < 0 &&
                    errno != ENOENT && errno != ENOTEMPTY && errno != ENOTDIR)
                        return -errno;
        return 0;
}

static int delete_source(PoolSource *source, bool incomplete, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (source->driver == &pool_driver_lvm)
                return pool_source_unmake(source, ret_error);
        if (source->kind == POOL_SOURCE_LOOP) {
                r = path_remove_file(source->disks_fd, source->image);
                return r == -ENOENT ? 0 : r;
        }
        if (source->kind == POOL_SOURCE_DEVICE)
                return pool_source_unmake(source, ret_error);
        r = pool_source_open_directory(source, &fd, ret_error);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = incomplete && source->kind == POOL_SOURCE_DIRECTORY
                            ? undo_layout(fd) : sweep_all(source->driver, fd);
        if (r < 0)
                return r;
        if (source->kind == POOL_SOURCE_OWN)
                r = path_remove_tree(source->pools_fd, source->pool);
        return r;
}

int pool_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        bool incomplete = false;
        int r;

        (void) worker_get_boolean(worker, "incomplete", &incomplete, NULL);
        r = pool_source_read(worker, &source, ret_error);
        if (r < 0)
                return r;
        worker_progress(worker, "Deleting the pool", -1);
        r = mount_end(source.pools_fd, source.pool);
        if (r == -EBUSY)
                return busy(&source, ret_error);
        if (r >= 0)
                r = delete_source(&source, incomplete, ret_error);
        if (r >= 0)
                r = remove_mount_point(&source);
        if (r < 0)
                (void) error_set_errno(ret_error, -r, "Cannot delete storage pool \"%s\"",
                                       source.pool);
        return r;
}
