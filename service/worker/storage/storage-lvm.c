/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/program.h"
#include "service/worker/storage/lvm.h"
#include "service/worker/storage/lvm-size.h"
#include "service/worker/thin-volume.h"

/*
 * Volumes are thin volumes of LVM with a file system each; copies and snapshots are thin snapshots,
 * which share what nobody has changed. See service/worker/thin-volume.h for where they are. A
 * snapshot of a volume that is in use is what a power cut would leave, and what had been written
 * before: the kernel writes all to disk and holds the file system for that moment.
 */

/* What mkfs.xfs(8) of Debian 12 insists on. */
#define XFS_SIZE_MIN (UINT64_C(300) << 20)

static int lvm_driver_check(int fd) {
        g_autofree char *group = NULL, *volume = NULL;
        int r = thin_volume_identify(fd, &group, &volume);

        return r < 0 ? -EOPNOTSUPP : g_str_equal(volume, THIN_TREE) ? 0 : -EOPNOTSUPP;
}

static int lvm_open(int dir_fd, const char *name, bool read_only) {
        _cleanup_close_ int mount_fd = thin_volume_mount(dir_fd, name, read_only);
        int fd;

        if (mount_fd < 0)
                return mount_fd;
        fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* The entry of a volume to be, and its full name. */
static int new_entry(int dir_fd, const char *name, const char *group, const char *filesystem,
                     char **ret_name, char **ret_full, Error *ret_error) {
        g_autofree char *uuid = g_uuid_string_random();
        g_autofree char *made_up = g_strconcat("berth-", uuid, NULL);
        const ThinVolume volume = { made_up, (char *) filesystem };
        int r = thin_volume_write(dir_fd, name, &volume);

        if (r < 0)
                return r;
        *ret_full = g_strdup_printf("%s/%s", group, made_up);
        *ret_name = g_steal_pointer(&made_up);
        return 0;
}

static int format(const char *filesystem, const char *device, uint64_t size, Error *ret_error) {
        /* What is thin reads as zeroes: nothing need be written or discarded. */
        const char *ext4[] = {
                "mkfs.ext4", "-q", "-m", "0", "-E",
                "nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", device, NULL,
        };
        const char *xfs[] = { "mkfs.xfs", "-q", "-K", device, NULL };

        if (!g_str_equal(filesystem, "xfs"))
                return program_run(ext4, -EBADF, ret_error);
        if (size < XFS_SIZE_MIN) {
                g_autofree char *least = size_format(XFS_SIZE_MIN);

                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "an xfs needs at least %s; make it larger, or set the pool's "
                                 "volume.block.filesystem to ext4", least);
        }
        return program_run(xfs, -EBADF, ret_error);
}

/* The images of containers have none. */
static int remove_lost_and_found(int dir_fd, const char *name) {
        _cleanup_close_ int fd = lvm_open(dir_fd, name, false);

        if (fd < 0)
                return fd;
        return unlinkat(fd, "lost+found", AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int lvm_create(int dir_fd, const char *name, uint64_t size, Error *ret_error) {
        g_autofree char *group = NULL, *tree = NULL, *volume = NULL, *full = NULL, *device = NULL,
                        *text = NULL, *pool_name = NULL;
        g_auto(ThinPool) pool = { 0 };
        int r;

        r = thin_volume_identify(dir_fd, &group, &tree);
        if (r >= 0)
                r = thin_pool_read(dir_fd, &pool);
        if (r >= 0)
                r = new_entry(dir_fd, name, group, pool.filesystem, &volume, &full, ret_error);
        if (r < 0)
                return r;
        text = g_strdup_printf("%" G_GUINT64_FORMAT "b", size > 0 ? size : pool.size);
        pool_name = g_strdup_printf("%s/%s", group, pool.name);
        device = thin_volume_device(group, volume);
        r = lvm_run(ret_error, "lvcreate", "--yes", "--quiet", "--type", "thin", "--virtualsize",
                    text, "--name", volume, "--thinpool", pool_name, NULL);
        if (r >= 0)
                r = format(pool.filesystem, device, size > 0 ? size : pool.size, ret_error);
        if (r < 0)
                return r;
        r = remove_lost_and_found(dir_fd, name);
        if (r == -EINVAL)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "the kernel does not mount it with the options \"%s\"; see the "
                                 "pool's volume.block.mount_options, and which of them are for %s",
                                 pool.options, pool.filesystem);
        return r;
}

static int lvm_clone(int source_fd, int dir_fd, const char *name, Error *ret_error) {
        g_autofree char *group = NULL, *source = NULL, *volume = NULL, *full = NULL,
                        *source_full = NULL;
        struct statfs st;
        int r;

        r = thin_volume_identify(source_fd, &group, &source);
        if (r < 0 || fstatfs(source_fd, &st) < 0)
                return r < 0 ? r : -errno;
        r = new_entry(dir_fd, name, group, st.f_type == XFS_SUPER_MAGIC ? "xfs" : "ext4", &volume,
                      &full, ret_error);
        if (r < 0)
                return r;
        source_full = g_strdup_printf("%s/%s", group, source);
        /* Called a snapshot, it would ask the kernel for those that are not thin as well. */
        return lvm_run(ret_error, "lvcreate", "--yes", "--quiet", "--type", "thin",
                       "--setactivationskip", "n", "--name", volume, source_full, NULL);
}

/* By selection, which finds none where it has gone already. */
static int remove_volume(const char *group, const char *volume) {
        g_autofree char *selection = g_strdup_printf("lv_name=\"%s\"", volume);
        g_auto(Error) error = ERROR_INIT;
        int r;

        r = lvm_run(&error, "lvremove", "--yes", "--force", "--quiet", "--select", selection,
                    group, NULL);
        if (r >= 0)
                return 0;
        log_warning("Cannot remove the volume %s/%s: %s.", group, volume, error.message);
        return -EBUSY;
}

static int lvm_remove(int dir_fd, const char *name) {
        g_autofree char *group = NULL, *tree = NULL;
        g_auto(ThinVolume) volume = { 0 };
        int r;

        r = thin_volume_read(dir_fd, name, &volume);
        if (r == -ENOENT)
                return 0;
        if (r >= 0) {
                r = thin_volume_identify(dir_fd, &group, &tree);
                if (r >= 0)
                        r = remove_volume(group, volume.name);
                if (r < 0)
                        return r;
        }
        return path_remove_tree(dir_fd, name);
}

static int lvm_get_size(int fd, uint64_t *ret_used, uint64_t *ret_size) {
        struct statvfs st;

        if (fstatvfs(fd, &st) < 0)
                return -errno;
        *ret_used = (uint64_t) (st.f_blocks - st.f_bfree) * st.f_frsize;
        return lvm_size_of(fd, ret_size);
}

const PoolDriver pool_driver_lvm = {
        .name = "lvm",
        .takes_pictures = true,
        .check = lvm_driver_check,
        .create = lvm_create,
        .open = lvm_open,
        .clone = lvm_clone,
        .remove = lvm_remove,
        .resize = lvm_resize,
        .get_size = lvm_get_size,
};
