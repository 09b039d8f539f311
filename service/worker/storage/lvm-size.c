/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/lvm-size.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/worker/program.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/lvm.h"
#include "service/worker/thin-volume.h"

#define EXTENT_SIZE (UINT64_C(4) << 20)
#define SECTOR_SIZE 512
/* e2fsck: what was wrong has been put right. */
#define FSCK_CORRECTED 1

/* Of the kernel, and in none of its headers for programs. */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

struct xfs_growfs_data {
        uint64_t newblocks;
        uint32_t imaxpct;
};

struct xfs_fsop_geom_v1 {
        uint32_t blocksize, rtextsize, agblocks, agcount, logblocks, sectsize, inodesize, imaxpct;
        uint64_t datablocks, rtblocks, rtextents, logstart;
        unsigned char uuid[16];
        uint32_t sunit, swidth;
        int32_t version;
        uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};

#define XFS_IOC_FSGEOMETRY_V1 _IOR('X', 100, struct xfs_fsop_geom_v1)
#define XFS_IOC_FSGROWFSDATA _IOW('X', 110, struct xfs_growfs_data)

int lvm_size_of(int fd, uint64_t *ret) {
        g_autofree char *path = NULL, *text = NULL;
        _cleanup_close_ int size_fd = -EBADF;
        guint64 sectors;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        path = g_strdup_printf("/sys/dev/block/%u:%u/size", major(st.st_dev), minor(st.st_dev));
        size_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (size_fd < 0)
                return -errno;
        r = fd_read_text(size_fd, 64, &text);
        if (r < 0)
                return r;
        if (!g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, G_MAXINT64 / SECTOR_SIZE,
                                        &sectors, NULL))
                return -EBADMSG;
        *ret = sectors * SECTOR_SIZE;
        return 0;
}

/* --- Growing ----------------------------------------------------------------------------- */

/* As large as its volume; nothing to do where it is. */
static int grow_filesystem(int fd, uint64_t size) {
        struct xfs_fsop_geom_v1 geometry = { 0 };
        struct xfs_growfs_data grow = { 0 };
        struct statfs st;
        uint64_t blocks;

        if (fstatfs(fd, &st) < 0)
                return -errno;
        if (st.f_type != XFS_SUPER_MAGIC) {
                blocks = size / (uint64_t) st.f_bsize;
                return ioctl(fd, EXT4_IOC_RESIZE_FS, &blocks) < 0 ? -errno : 0;
        }
        if (ioctl(fd, XFS_IOC_FSGEOMETRY_V1, &geometry) < 0)
                return -errno;
        grow.newblocks = size / geometry.blocksize;
        grow.imaxpct = geometry.imaxpct;
        if (grow.newblocks <= geometry.datablocks)
                return 0;
        return ioctl(fd, XFS_IOC_FSGROWFSDATA, &grow) < 0 ? -errno : 0;
}

static int grow(int fd, const char *full, uint64_t wanted, const char *size, Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;
        uint64_t now = 0;
        int r;

        r = lvm_run(&error, "lvextend", "--yes", "--quiet", "--size", size, full, NULL);
        /* The one that a worker which has died had begun may have been first. */
        if (r < 0 && (lvm_size_of(fd, &now) < 0 || now < wanted)) {
                error_move(ret_error, &error);
                return r;
        }
        r = lvm_size_of(fd, &now);
        if (r >= 0)
                r = grow_filesystem(fd, now);
        if (r < 0)
                return r;
        return syncfs(fd) < 0 ? -errno : 0;
}

/* --- Shrinking --------------------------------------------------------------------------- */

static int check_filesystem(const char *device, Error *ret_error) {
        const char *argv[] = { "e2fsck", "-f", "-p", device, NULL };
        int status, r;

        r = program_run_status(argv, &status, ret_error);
        if (r < 0 || status <= FSCK_CORRECTED)
                return r;
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "e2fsck found its file system damaged (status %d); see e2fsck(8)",
                         status);
}

static int shrink(const char *device, const char *full, uint64_t bytes, const char *size,
                  Error *ret_error) {
        g_autofree char *kilobytes = g_strdup_printf("%" G_GUINT64_FORMAT "K", bytes >> 10);
        const char *argv[] = { "resize2fs", device, kilobytes, NULL };
        _cleanup_close_ int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
        int r;

        if (fd < 0 && errno == EBUSY)
                return error_set(ret_error, ERROR_IN_USE,
                                 "it cannot be made smaller while it is in use; stop what uses "
                                 "it");
        if (fd < 0)
                return -errno;
        fd = fd_close(fd);
        r = check_filesystem(device, ret_error);
        if (r >= 0)
                r = program_run(argv, -EBADF, ret_error);
        if (r >= 0)
                r = lvm_run(ret_error, "lvreduce", "--yes", "--force", "--quiet", "--size", size,
                            full, NULL);
        return r;
}

/* e2fsck sees to it that there is one. */
static int remove_lost_and_found(int dir_fd, const char *name) {
        _cleanup_close_ int fd = pool_driver_lvm.open(dir_fd, name, false);

        if (fd < 0)
                return fd;
        return unlinkat(fd, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT &&
                               errno != ENOTEMPTY
                       ? -errno
                       : 0;
}

static int check_smaller(int fd, uint64_t size, Error *ret_error) {
        g_autofree char *has = NULL, *wanted = size_format(size);
        uint64_t used, unused;
        struct statfs st;
        int r = pool_driver_lvm.get_size(fd, &used, &unused);

        if (r < 0)
                return r;
        if (fstatfs(fd, &st) < 0)
                return -errno;
        has = size_format(used);
        if (used > size)
                return error_set(ret_error, ERROR_NO_SPACE, "it holds %s, which is more than %s",
                                 has, wanted);
        if (st.f_type == XFS_SUPER_MAGIC)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "an xfs cannot be made smaller; copy what is in it to a smaller "
                                 "volume");
        return 0;
}

int lvm_resize(int dir_fd, const char *name, uint64_t size, bool room, Error *ret_error) {
        uint64_t wanted = (size + EXTENT_SIZE - 1) / EXTENT_SIZE * EXTENT_SIZE, now;
        g_autofree char *group = NULL, *volume = NULL, *full = NULL, *device = NULL, *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (size == 0)
                return 0;
        fd = pool_driver_lvm.open(dir_fd, name, false);
        r = fd < 0 ? fd : lvm_size_of(fd, &now);
        if (r >= 0)
                r = thin_volume_identify(fd, &group, &volume);
        if (r < 0)
                return r;
        full = g_strdup_printf("%s/%s", group, volume);
        device = thin_volume_device(group, volume);
        text = g_strdup_printf("%" G_GUINT64_FORMAT "b", wanted);
        if (wanted == now)
                return grow_filesystem(fd, now);
        if (wanted > now)
                return grow(fd, full, wanted, text, ret_error);

        r = check_smaller(fd, size, &error);
        fd = fd_close(fd);
        if (r >= 0)
                r = shrink(device, full, wanted, text, &error);
        if (r >= 0)
                return remove_lost_and_found(dir_fd, name);
        /* It may hold less than it does, but need not be able to. */
        if (!room) {
                log_warning("The volume %s stays larger than it should be: %s.", full,
                            error.message ?: g_strerror(-r));
                return 0;
        }
        error_move(ret_error, &error);
        return r;
}
