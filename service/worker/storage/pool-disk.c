/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/pool-disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/loop.h"
#include "service/worker/storage/mount.h"
#include "service/worker/program.h"

/* Where a btrfs keeps its id and its mark: part of its format on disk. */
#define BTRFS_FSID_POSITION (65536 + 32)
#define BTRFS_MAGIC_POSITION (65536 + 64)
#define BTRFS_MAGIC "_BHRfS_M"
#define BTRFS_MAGIC_SIZE (sizeof(BTRFS_MAGIC) - 1)

/* Positive if there is a btrfs behind the fd. */
static int read_id(int fd, uint8_t id[static BTRFS_FSID_SIZE]) {
        char magic[BTRFS_MAGIC_SIZE];

        return pread(fd, id, BTRFS_FSID_SIZE, BTRFS_FSID_POSITION) == BTRFS_FSID_SIZE &&
               pread(fd, magic, sizeof(magic), BTRFS_MAGIC_POSITION) == sizeof(magic) &&
               memcmp(magic, BTRFS_MAGIC, sizeof(magic)) == 0;
}

/* --- A loop file ------------------------------------------------------------------------- */

static int choose_size(PoolSource *source, Error *ret_error) {
        struct statvfs st;
        uint64_t available;

        if (fstatvfs(source->disks_fd, &st) < 0)
                return -errno;
        available = (uint64_t) st.f_bavail * st.f_frsize;
        if (source->size == 0)
                source->size = MIN(available, CLAMP(available / 5, POOL_LOOP_SIZE_DEFAULT_MIN,
                                                    POOL_LOOP_SIZE_DEFAULT_MAX));
        else if (source->size < POOL_LOOP_SIZE_MIN)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Storage pool \"%s\" cannot be that small: a %s pool has at "
                                 "least %" G_GUINT64_FORMAT " MiB", source->pool,
                                 source->driver->name, POOL_LOOP_SIZE_MIN >> 20);
        source->size -= source->size % 4096;
        if (source->size > available || source->size < POOL_LOOP_SIZE_MIN)
                return error_set(
                        ret_error, ERROR_NO_SPACE,
                        "There is no room for storage pool \"%s\": it wants %" G_GUINT64_FORMAT
                        " MiB and \"%s\" has %" G_GUINT64_FORMAT " MiB to spare",
                        source->pool, MAX(source->size, POOL_LOOP_SIZE_MIN) >> 20, source->path,
                        available >> 20);
        return 0;
}

static int format_image(const PoolSource *source, int fd, Error *ret_error) {
        g_autofree char *label = g_strdup_printf("berth-%s", source->pool);
        const char *argv[] = {
                "mkfs.btrfs", "--quiet", "--nodiscard", "--label", label, PROGRAM_FD_PATH, NULL,
        };
        int flags = 0, r;

        if (ftruncate(fd, (off_t) source->size) < 0)
                return -errno;
        /* Copying on write twice over would only cost time. Not all filesystems know of it. */
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) >= 0) {
                flags |= FS_NOCOW_FL;
                (void) ioctl(fd, FS_IOC_SETFLAGS, &flags);
        }
        r = source->driver == &pool_driver_btrfs ? program_run(argv, fd, ret_error) : 0;
        if (r < 0)
                return r;
        return fsync(fd) < 0 || fsync(source->disks_fd) < 0 ? -errno : 0;
}

int pool_disk_make_file(PoolSource *source, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = choose_size(source, ret_error);
        if (r < 0)
                return r;
        fd = path_open_beneath(source->disks_fd, source->image, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd == -EEXIST)
                return error_set(ret_error, ERROR_EXISTS,
                                 "Cannot make storage pool \"%s\": the file \"%s\" is there "
                                 "already; move it away if nothing needs it", source->pool,
                                 source->path);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot make the loop file \"%s\"",
                                       source->path);
        r = format_image(source, fd, ret_error);
        if (r < 0) {
                (void) path_remove_file(source->disks_fd, source->image);
                if (r != -ECANCELED)
                        (void) error_set_errno(ret_error, -r, "Cannot fill the loop file \"%s\"",
                                               source->path);
        }
        return r;
}

static int open_loop_file(const PoolSource *source, int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = path_open_beneath(source->disks_fd, source->image, O_RDWR | O_NOFOLLOW | O_NONBLOCK,
                               0);
        if (fd < 0)
                return error_set_errno(ret_error, -fd,
                                       "Cannot open the loop file \"%s\" of storage pool \"%s\"",
                                       source->path, source->pool);
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1 || (st.st_mode & 0077))
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "The loop file \"%s\" of storage pool \"%s\" is not a file of "
                                 "root's alone", source->path, source->pool);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Where there is not enough, the filesystem would be told of room that is none. */
static int check_growth(const PoolSource *source, const struct stat *st, Error *ret_error) {
        struct statvfs host;
        uint64_t available, wanted;

        if (source->size < (uint64_t) st->st_size)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Storage pool \"%s\" cannot be made smaller: it has %"
                                 G_GUINT64_FORMAT " bytes", source->pool, (uint64_t) st->st_size);
        if (fstatvfs(source->disks_fd, &host) < 0)
                return -errno;
        available = (uint64_t) host.f_bavail * host.f_frsize;
        wanted = source->size - (uint64_t) st->st_size;
        if (wanted > available)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no room for storage pool \"%s\" to grow: it wants %"
                                 G_GUINT64_FORMAT " MiB more and \"%s\" has %" G_GUINT64_FORMAT
                                 " MiB to spare", source->pool, wanted >> 20, source->path,
                                 available >> 20);
        return 0;
}

int pool_disk_attach_file(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error) {
        _cleanup_close_ int image_fd = -EBADF;
        int r;

        r = open_loop_file(source, &image_fd, ret_error);
        if (r < 0)
                return r;
        r = loop_attach(image_fd, ret_fd, ret_path);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot attach \"%s\" to a loop device",
                                       source->path)
                     : 0;
}

int pool_disk_extend_file(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error) {
        _cleanup_close_ int image_fd = -EBADF, device_fd = -EBADF;
        g_autofree char *device = NULL;
        struct stat st;
        int r;

        r = open_loop_file(source, &image_fd, ret_error);
        if (r < 0)
                return r;
        if (fstat(image_fd, &st) < 0)
                return -errno;
        source->size -= source->size % 4096;
        r = check_growth(source, &st, ret_error);
        if (r < 0)
                return r;
        if (ftruncate(image_fd, (off_t) source->size) < 0 || fsync(image_fd) < 0)
                return error_set_errno(ret_error, errno, "Cannot make \"%s\" larger", source->path);
        r = loop_attach(image_fd, &device_fd, &device);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot find the loop device of \"%s\"",
                                       source->path);
        if (ioctl(device_fd, LOOP_SET_CAPACITY) < 0)
                return error_set_errno(ret_error, errno, "Cannot make the loop device of \"%s\" "
                                       "larger", source->path);
        *ret_fd = TAKE_FD(device_fd);
        *ret_path = g_steal_pointer(&device);
        return 0;
}

int pool_disk_grow_file(PoolSource *source, int fd, Error *ret_error) {
        struct btrfs_ioctl_vol_args resize = { .name = "max" };
        _cleanup_close_ int device_fd = -EBADF;
        g_autofree char *device = NULL;
        int r = pool_disk_extend_file(source, &device_fd, &device, ret_error);

        if (r < 0)
                return r;
        if (ioctl(fd, BTRFS_IOC_RESIZE, &resize) < 0 || syncfs(fd) < 0)
                return error_set_errno(ret_error, errno, "Cannot make the filesystem in \"%s\" "
                                       "larger", source->path);
        return 0;
}

/* --- A block device ---------------------------------------------------------------------- */

static char *format_id(const uint8_t id[static BTRFS_FSID_SIZE]) {
        GString *text = g_string_new(NULL);

        for (int i = 0; i < BTRFS_FSID_SIZE; i++)
                g_string_append_printf(text, "%s%02x",
                                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
        return g_string_free(text, FALSE);
}

static int open_device(const char *path, int flags, int *ret_fd) {
        _cleanup_close_ int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISBLK(st.st_mode))
                return -ENOTBLK;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Positive if the filesystem on the device is that of the pool. */
static int device_is_it(PoolSource *source, const char *path, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        uint8_t id[BTRFS_FSID_SIZE];
        g_autofree char *text = NULL;
        int r = open_device(path, O_RDONLY, &fd);

        if (r < 0 || !read_id(fd, id))
                return 0;
        text = format_id(id);
        /* Whoever brings it back knows where it is, not what it is called. */
        if (source->adopts && !*source->uuid && g_str_equal(path, source->path)) {
                g_free(source->uuid);
                source->uuid = g_strdup(text);
        }
        if (!g_str_equal(text, source->uuid))
                return 0;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

/* First under the name that it was given by, then whatever the kernel calls it now. */
static int find_device(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error) {
        g_autoptr(GDir) dir = NULL;
        const char *name;

        if (device_is_it(source, source->path, ret_fd)) {
                *ret_path = g_strdup(source->path);
                return 0;
        }
        dir = g_dir_open("/sys/class/block", 0, NULL);
        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_strdup_printf("/dev/%s", name);

                g_strdelimit(path, "!", '/');
                if (device_is_it(source, path, ret_fd)) {
                        *ret_path = TAKE_PTR(path);
                        return 0;
                }
        }
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "The disk of storage pool \"%s\" is not there: no block device has the "
                         "btrfs %s, which was on \"%s\"; connect it and try again", source->pool,
                         source->uuid, source->path);
}

int pool_disk_make_device(PoolSource *source, Error *ret_error) {
        g_autofree char *label = g_strdup_printf("berth-%s", source->pool);
        /* berthd has recorded the UUID: what a crash leaves on the device is known as ours. */
        const char *argv[] = {
                "mkfs.btrfs", "--quiet", "--label", label, "--uuid", source->uuid,
                PROGRAM_FD_PATH, NULL,
        };
        _cleanup_close_ int fd = -EBADF;
        uint8_t id[BTRFS_FSID_SIZE];
        int r;

        if (!*source->uuid)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A storage pool on a block device needs a UUID");
        r = open_device(source->path, O_RDWR | O_EXCL, &fd);
        if (r == -EBUSY)
                return error_set(ret_error, ERROR_IN_USE, "The block device \"%s\" is in use",
                                 source->path);
        if (r == -ENOTBLK)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" is no block device",
                                 source->path);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot open the block device \"%s\"",
                                       source->path);
        /* mkfs looks itself for what is there already, and for others at work on it. */
        fd = fd_close(fd);
        r = open_device(source->path, O_RDWR, &fd);
        if (r < 0)
                return r;
        r = program_run(argv, fd, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "Cannot make a btrfs on \"%s\" (what it holds is not "
                             "overwritten: see wipefs(8))", source->path);
                return r;
        }
        if (!read_id(fd, id))
                return error_set(ret_error, ERROR_BACKEND_FAILED, "mkfs.btrfs left no btrfs on "
                                 "\"%s\"", source->path);
        g_free(source->uuid);
        source->uuid = format_id(id);
        return fsync(fd) < 0 ? -errno : 0;
}

int pool_disk_wipe_device(PoolSource *source) {
        static const char nothing[BTRFS_MAGIC_SIZE];
        _cleanup_close_ int found_fd = -EBADF, fd = -EBADF;
        g_autofree char *path = NULL;
        int r;

        if (find_device(source, &found_fd, &path, NULL) < 0)
                return 0;
        r = open_device(path, O_RDWR, &fd);
        if (r < 0)
                return r;
        return pwrite(fd, nothing, sizeof(nothing), BTRFS_MAGIC_POSITION) != sizeof(nothing) ||
                               fsync(fd) < 0
                       ? -errno
                       : 0;
}

/* --- Either of them ---------------------------------------------------------------------- */

static int open_disk(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error) {
        return source->kind == POOL_SOURCE_DEVICE
                       ? find_device(source, ret_fd, ret_path, ret_error)
                       : pool_disk_attach_file(source, ret_fd, ret_path, ret_error);
}

int pool_disk_mount(PoolSource *source, int target_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *path = NULL;
        int r = open_disk(source, &fd, &path, ret_error);

        if (r < 0)
                return r;
        r = mount_device("btrfs", path, target_fd);
        if (r == -EINVAL || r == -EIO || r == -EUCLEAN || r == -ENOENT)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot mount storage pool \"%s\": what is in \"%s\" is damaged "
                                 "or no btrfs; see the kernel's log and btrfs-check(8)",
                                 source->pool, source->path);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot mount storage pool \"%s\" from \"%s\"",
                                       source->pool, source->path);
        return 0;
}

/* Compares the filesystem's id with that on the disk. */
int pool_disk_is_mounted_at(PoolSource *source, int fd, Error *ret_error) {
        struct btrfs_ioctl_fs_info_args info = { 0 };
        _cleanup_close_ int disk_fd = -EBADF;
        uint8_t id[BTRFS_FSID_SIZE];
        g_autofree char *path = NULL;
        int r;

        r = source->kind == POOL_SOURCE_LOOP ? open_loop_file(source, &disk_fd, ret_error)
                                             : find_device(source, &disk_fd, &path, ret_error);
        if (r < 0)
                return r;
        if (!read_id(disk_fd, id))
                return 0;
        if (pool_driver_btrfs.check(fd) < 0 || ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
                return 0;
        return memcmp(id, info.fsid, sizeof(id)) == 0;
}
