/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/mount.h"

const PoolDriver *pool_driver_find(const char *name) {
        static const PoolDriver *const drivers[] = {
                &pool_driver_btrfs, &pool_driver_dir, &pool_driver_lvm,
        };

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
        if (r >= 0 && faccessat(fd, volume_kind_directory(VOLUME_CONTAINER), F_OK,
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

int pool_choose_owners(Worker *worker, Pool *pool, bool *ret_idmapped, Error *ret_error) {
        bool may_shift;
        int r;

        r = worker_get_boolean(worker, "may-shift", &may_shift, ret_error);
        if (r < 0)
                return r;
        *ret_idmapped = pool_can_idmap(pool);
        if (*ret_idmapped)
                return 0;
        if (!may_shift)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Storage pool \"%s\" cannot be mounted idmapped, so the owners of "
                                 "the container's files would have to be changed on disk, which "
                                 "security.protection.shift forbids", pool->name);
        log_warning("Storage pool \"%s\" cannot be mounted idmapped: the owners of the container's "
                    "files are changed on disk, once.", pool->name);
        return 0;
}
