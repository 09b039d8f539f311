/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-filesystem.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/program.h"

/* As blkid calls them, and the kernel. */
static const struct {
        const char *found, *type;
} filesystems[] = {
        { "ext2", "ext2" },       { "ext3", "ext3" },         { "ext4", "ext4" },
        { "xfs", "xfs" },         { "btrfs", "btrfs" },       { "f2fs", "f2fs" },
        { "vfat", "vfat" },       { "exfat", "exfat" },       { "ntfs", "ntfs3" },
        { "iso9660", "iso9660" }, { "udf", "udf" },           { "squashfs", "squashfs" },
        { "erofs", "erofs" },
};

static int check_is_block(const char *path, Error *ret_error) {
        struct stat st;

        if (stat(path, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at %s", path);
        if (S_ISBLK(st.st_mode))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "%s is no block device; use a device of type unix-char", path);
}

static int find_type(const char *path, const char **ret, Error *ret_error) {
        const char *const argv[] = { "blkid", "--probe", "--match-tag", "TYPE",
                                     "--output", "value", path, NULL };
        g_autofree char *found = NULL;
        g_auto(Error) error = ERROR_INIT;

        if (!program_is_installed("blkid"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "There is no blkid, which tells what is on %s; install the "
                                 "package util-linux", path);
        if (program_read(argv, &found, &error) < 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "There is no filesystem on %s that blkid knows", path);
        g_strstrip(found);
        for (size_t i = 0; i < ELEMENTSOF(filesystems); i++)
                if (g_str_equal(filesystems[i].found, found)) {
                        *ret = filesystems[i].type;
                        return 0;
                }
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "What is on %s (%.40s) is no filesystem that berth mounts; use a device "
                         "of type unix-block to give the device itself", path, found);
}

int device_filesystem_mount(const char *path, bool readonly, Error *ret_error) {
        _cleanup_close_ int filesystem = -EBADF;
        const char *type;
        int fd, r;

        r = check_is_block(path, ret_error);
        if (r >= 0)
                r = find_type(path, &type, ret_error);
        if (r < 0)
                return r;
        filesystem = fsopen(type, FSOPEN_CLOEXEC);
        if (filesystem < 0)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "This kernel has no %s, which is on %s", type, path);
        if (fsconfig(filesystem, FSCONFIG_SET_STRING, "source", path, 0) < 0 ||
            (readonly && fsconfig(filesystem, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) ||
            fsconfig(filesystem, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return error_set_errno(ret_error, errno, "Cannot mount %s (%s)", path, type);
        fd = fsmount(filesystem, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        return fd < 0 ? error_set_errno(ret_error, errno, "Cannot mount %s (%s)", path, type) : fd;
}
