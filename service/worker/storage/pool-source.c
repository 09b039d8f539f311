/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/pool-source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/mount.h"
#include "service/worker/storage/pool-disk.h"
#include "service/worker/storage/pool-lvm.h"

/* --- Arguments --------------------------------------------------------------------------- */

static void source_identify(PoolSource *source, const char *path, const char *given,
                            const char *state_dir) {
        g_autofree char *loop_path = NULL;

        source->image = g_strdup_printf("%s.img", source->pool);
        loop_path = g_strdup_printf("%s/disks/%s", state_dir, source->image);
        if (source->driver != &pool_driver_dir &&
            (g_str_equal(given, "") || g_str_equal(given, loop_path))) {
                source->kind = POOL_SOURCE_LOOP;
                source->path = g_steal_pointer(&loop_path);
        } else if (source->driver != &pool_driver_dir && g_str_has_prefix(given, "/dev/")) {
                source->kind = POOL_SOURCE_DEVICE;
                source->path = g_strdup(given);
        } else if (source->driver == &pool_driver_lvm) {
                source->kind = POOL_SOURCE_GROUP;
                source->path = g_strdup(given);
        } else if (g_str_equal(given, "") || g_str_equal(given, path)) {
                source->kind = POOL_SOURCE_OWN;
                source->path = g_strdup(path);
        } else {
                source->kind = POOL_SOURCE_DIRECTORY;
                source->path = g_strdup(given);
        }
}

static int source_open_state(PoolSource *source, const char *state_dir, Error *ret_error) {
        source->state_fd = path_open_dir(state_dir);
        if (source->state_fd < 0)
                return error_set_errno(ret_error, -source->state_fd,
                                       "Cannot open the state directory \"%s\"", state_dir);
        source->pools_fd = path_make_dir(source->state_fd, "mounts", 0700);
        if (source->pools_fd < 0)
                return error_set_errno(ret_error, -source->pools_fd,
                                       "Cannot open \"pools\" in the state directory \"%s\"",
                                       state_dir);
        if (source->kind != POOL_SOURCE_LOOP)
                return 0;
        source->disks_fd = path_make_dir(source->state_fd, "disks", 0700);
        if (source->disks_fd < 0)
                return error_set_errno(ret_error, -source->disks_fd,
                                       "Cannot open \"disks\" in the state directory \"%s\"",
                                       state_dir);
        return 0;
}

int pool_source_read(Worker *worker, PoolSource *ret, Error *ret_error) {
        const char *name = NULL, *driver = NULL, *path = NULL, *given = NULL, *state_dir = NULL;
        const char *uuid = NULL;
        g_auto(PoolSource) source = POOL_SOURCE_INIT;
        g_autofree char *expected = NULL;
        const struct {
                const char *key;
                const char **value;
        } strings[] = {
                { "pool", &name },   { "pool-driver", &driver },  { "pool-path", &path },
                { "source", &given }, { "state-dir", &state_dir }, { "uuid", &uuid },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                r = worker_get_string(worker, strings[i].key, strings[i].value, ret_error);
                if (r < 0)
                        return r;
        }
        r = worker_get_uint64(worker, "size", &source.size, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "config", "a{ss}", &source.config, ret_error);
        if (r < 0)
                return r;

        if (!volume_name_is_valid(name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "The name of the storage pool is not valid");
        source.driver = pool_driver_find(driver);
        if (!source.driver)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Storage pool \"%s\" has an unknown driver \"%s\"; there are "
                                 "\"btrfs\", \"dir\" and \"lvm\"", name, driver);
        expected = g_strdup_printf("%s/mounts/%s", state_dir, name);
        if (state_dir[0] != '/' || !g_str_equal(path, expected))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Storage pool \"%s\" must be at \"%s\", not at \"%s\"", name,
                                 expected, path);
        source.pool = g_strdup(name);
        source.uuid = g_strdup(uuid);
        source_identify(&source, path, given, state_dir);
        r = source_open_state(&source, state_dir, ret_error);
        if (r < 0)
                return r;
        *ret = source;
        source = POOL_SOURCE_INIT;
        return 0;
}

void pool_source_done(PoolSource *source) {
        source->state_fd = fd_close(source->state_fd);
        source->pools_fd = fd_close(source->pools_fd);
        source->disks_fd = fd_close(source->disks_fd);
        g_clear_pointer(&source->pool, g_free);
        g_clear_pointer(&source->path, g_free);
        g_clear_pointer(&source->image, g_free);
        g_clear_pointer(&source->uuid, g_free);
        g_clear_pointer(&source->config, g_variant_unref);
}

/* --- A directory that was given ---------------------------------------------------------- */

/* It is opened again at every start: a link on the way could lead elsewhere by then. */
static int open_without_links(const char *path) {
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

static bool path_is_absolute_clean(const char *path) {
        g_auto(GStrv) components = NULL;

        if (path[0] != '/' || strlen(path) >= PATH_MAX)
                return false;
        components = g_strsplit(path + 1, "/", -1);
        for (char **c = components; *c; c++)
                if (!path_is_component(*c))
                        return false;
        return components[0];
}

/* Positive if the path is that of the state directory or of something in it. */
static int is_in_state_directory(const PoolSource *source) {
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", source->state_fd);
        char state[PATH_MAX];
        ssize_t n = readlink(link, state, sizeof(state) - 1);

        if (n < 0)
                return -errno;
        state[n] = '\0';
        return g_str_has_prefix(source->path, state) &&
               (source->path[n] == '/' || source->path[n] == '\0');
}

static int check_directory(const PoolSource *source, int fd, Error *ret_error) {
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" cannot be used: it must "
                                 "belong to root and nobody else may write to it",
                                 source->path, source->pool);
        r = source->driver->check(fd);
        if (r == -EOPNOTSUPP)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is not on a %s "
                                 "filesystem", source->path, source->pool, source->driver->name);
        return r;
}

static int open_given_directory(PoolSource *source, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!path_is_absolute_clean(source->path))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is not an absolute path "
                                 "without \".\", \"..\" and superfluous slashes",
                                 source->path, source->pool);
        r = is_in_state_directory(source);
        if (r < 0)
                return r;
        if (r > 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is inside the service's "
                                 "own directory; leave the source out to have one made there",
                                 source->path, source->pool);
        fd = open_without_links(source->path);
        if (fd == -ENOENT)
                return -ENOENT;
        if (fd == -ELOOP)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is or goes through a "
                                 "symbolic link; give the path that it leads to",
                                 source->path, source->pool);
        if (fd == -ENOTDIR)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is not a directory",
                                 source->path, source->pool);
        if (fd < 0)
                return error_set_errno(ret_error, -fd,
                                       "Cannot open the source \"%s\" of storage pool \"%s\"",
                                       source->path, source->pool);
        r = check_directory(source, fd, ret_error);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int missing_directory(const PoolSource *source, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "The source \"%s\" of storage pool \"%s\" does not exist", source->path,
                         source->pool);
}

int pool_source_open_directory(PoolSource *source, int *ret_fd, Error *ret_error) {
        int fd;

        g_assert(!pool_source_is_disk(source));
        if (source->kind == POOL_SOURCE_DIRECTORY)
                return open_given_directory(source, ret_fd, ret_error);
        /* Not through the path module: it would stop at the pool's own mount. */
        fd = openat(source->pools_fd, source->pool,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                fd = -errno;
        if (fd == -ENOENT)
                return -ENOENT;
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open storage pool \"%s\"",
                                       source->pool);
        *ret_fd = fd;
        return 0;
}

/* Whether there is nothing in it but what a fresh filesystem brings along. */
static int directory_is_empty(int fd) {
        _cleanup_close_ int copy_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        int found = 0;
        DIR *dir;

        if (copy_fd < 0)
                return -errno;
        dir = fdopendir(copy_fd);
        if (!dir)
                return -errno;
        TAKE_FD(copy_fd);
        while (!found && (entry = readdir(dir)))
                found = path_is_component(entry->d_name) &&
                        !g_str_equal(entry->d_name, "lost+found");
        (void) closedir(dir);
        return !found;
}

/* A source that is not there yet, in a directory that is on a btrfs, becomes a subvolume. */
static int make_subvolume(PoolSource *source, Error *ret_error) {
        g_autofree char *parent = g_path_get_dirname(source->path);
        g_autofree char *name = g_path_get_basename(source->path);
        _cleanup_close_ int fd = open_without_links(parent);
        int r;

        if (fd < 0)
                return missing_directory(source, ret_error);
        r = check_directory(source, fd, ret_error);
        if (r < 0)
                return r;
        r = source->driver->create(fd, name, 0, ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make the subvolume \"%s\"",
                                       source->path);
        source->made = true;
        return 0;
}

static int make_directory(PoolSource *source, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        r = open_given_directory(source, &fd, ret_error);
        if (r == -ENOENT && source->driver == &pool_driver_btrfs)
                return make_subvolume(source, ret_error);
        if (r == -ENOENT)
                return missing_directory(source, ret_error);
        if (r < 0)
                return r;
        r = directory_is_empty(fd);
        if (r < 0)
                return r;
        if (r == 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" of storage pool \"%s\" is not empty; give an "
                                 "empty directory, the pool takes all of it", source->path,
                                 source->pool);
        if (fstat(fd, &st) < 0 || fchmod(fd, 0700) < 0)
                return -errno;
        source->old_mode = st.st_mode & 07777;
        return 0;
}

static int remove_subvolume(PoolSource *source) {
        g_autofree char *parent = g_path_get_dirname(source->path);
        g_autofree char *name = g_path_get_basename(source->path);
        _cleanup_close_ int fd = open_without_links(parent);

        return fd < 0 ? fd : source->driver->remove(fd, name);
}

static int unmake_directory(PoolSource *source) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (source->made)
                return remove_subvolume(source);
        r = open_given_directory(source, &fd, NULL);
        if (r < 0)
                return r;
        return fchmod(fd, source->old_mode) < 0 ? -errno : 0;
}

/* --- Any of them ------------------------------------------------------------------------- */

int pool_source_make(PoolSource *source, Error *ret_error) {
        if (source->driver == &pool_driver_lvm)
                return pool_lvm_make(source, ret_error);
        switch (source->kind) {
        case POOL_SOURCE_OWN:
                return 0; /* the mount point is it */
        case POOL_SOURCE_DIRECTORY:
                return make_directory(source, ret_error);
        case POOL_SOURCE_LOOP:
                return pool_disk_make_file(source, ret_error);
        case POOL_SOURCE_DEVICE:
                return pool_disk_make_device(source, ret_error);
        case POOL_SOURCE_GROUP:
                break;
        }
        g_assert_not_reached();
}

int pool_source_unmake(PoolSource *source, Error *ret_error) {
        if (source->driver == &pool_driver_lvm)
                return pool_lvm_unmake(source, ret_error);
        switch (source->kind) {
        case POOL_SOURCE_OWN:
                return 0;
        case POOL_SOURCE_DIRECTORY:
                return unmake_directory(source);
        case POOL_SOURCE_LOOP:
                return path_remove_file(source->disks_fd, source->image);
        case POOL_SOURCE_DEVICE:
                return pool_disk_wipe_device(source);
        case POOL_SOURCE_GROUP:
                break;
        }
        g_assert_not_reached();
}

int pool_source_mount(PoolSource *source, int target_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (source->driver == &pool_driver_lvm)
                return pool_lvm_mount(source, target_fd, ret_error);
        if (pool_source_is_disk(source))
                return pool_disk_mount(source, target_fd, ret_error);
        r = pool_source_open_directory(source, &fd, ret_error);
        if (r == -ENOENT)
                return missing_directory(source, ret_error);
        if (r < 0)
                return r;
        r = mount_bind(fd, target_fd);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot mount storage pool \"%s\" from \"%s\"", source->pool,
                                       source->path);
        return 0;
}

int pool_source_settle(PoolSource *source, int root_fd, Error *ret_error) {
        return source->driver == &pool_driver_lvm ? pool_lvm_settle(source, root_fd, ret_error) : 0;
}

int pool_source_release(PoolSource *source, Error *ret_error) {
        return source->driver == &pool_driver_lvm ? pool_lvm_release(source, ret_error) : 0;
}

int pool_source_is_mounted_at(PoolSource *source, int fd, Error *ret_error) {
        _cleanup_close_ int directory_fd = -EBADF;
        struct stat here, there;
        int r;

        if (source->driver == &pool_driver_lvm)
                return pool_lvm_is_mounted_at(source, fd, ret_error);
        if (pool_source_is_disk(source))
                return pool_disk_is_mounted_at(source, fd, ret_error);
        /* Over one of our own nothing but itself is mounted. */
        if (source->kind == POOL_SOURCE_OWN)
                return 1;
        r = pool_source_open_directory(source, &directory_fd, ret_error);
        if (r == -ENOENT)
                return missing_directory(source, ret_error);
        if (r < 0)
                return r;
        if (fstat(fd, &here) < 0 || fstat(directory_fd, &there) < 0)
                return -errno;
        return here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}
