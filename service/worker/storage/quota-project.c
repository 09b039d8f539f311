/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/quota-project.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/tree.h"

/* Our numbers begin here, far from those that people write into /etc/projects; 2^24 of them. */
#define PROJECT_FIRST UINT32_C(0x62000000)
#define PROJECT_MASK UINT32_C(0x00ffffff)
/* How many in a row are tried until one is free. */
#define PROJECT_TRIES_MAX 4096

#ifndef PRJQUOTA
#define PRJQUOTA 2
#endif

static int quota_call(int fd, int command, uint32_t project, struct if_dqblk *quota) {
        return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, quota) < 0 ? -errno
                                                                                         : 0;
}

static int project_of(int fd, uint32_t *ret) {
        struct fsxattr attributes;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
                return -errno;
        *ret = attributes.fsx_projid;
        return 0;
}

/* A number that no file bears and that has no limit yet; found from the directory's inode, so that
 * mostly the first one is it. */
static int project_choose(int fd, uint32_t *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        for (uint32_t i = 0; i < PROJECT_TRIES_MAX; i++) {
                uint32_t project = PROJECT_FIRST + (((uint32_t) st.st_ino + i) & PROJECT_MASK);
                struct if_dqblk quota = { 0 };
                int r = quota_call(fd, Q_GETQUOTA, project, &quota);

                if (r < 0 && r != -ENOENT)
                        return r;
                if (r == -ENOENT || (quota.dqb_curinodes == 0 && quota.dqb_bhardlimit == 0)) {
                        *ret = project;
                        return 0;
                }
        }
        return -EUSERS;
}

static int mark(int fd, uint32_t project, bool directory) {
        struct fsxattr attributes;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
                return -errno;
        attributes.fsx_projid = project;
        if (directory)
                attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) < 0 ? -errno : 0;
}

/* The directory first: what is made in it from then on has the number by itself. Devices, sockets
 * and links, which cannot be opened for this and hold nothing, are passed over. */
static int mark_tree(int fd, uint32_t project, unsigned depth) {
        _cleanup_close_ int read_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        DIR *dir;
        int r;

        if (read_fd < 0)
                return -errno;
        if (depth > TREE_DEPTH_MAX)
                return -ELOOP;
        r = mark(read_fd, project, true);
        if (r < 0)
                return r;
        dir = fdopendir(read_fd);
        if (!dir)
                return -errno;
        TAKE_FD(read_fd);
        while (r >= 0 && (entry = readdir(dir))) {
                _cleanup_close_ int child_fd = -EBADF;
                struct stat st;

                if (!path_is_component(entry->d_name) ||
                    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
                        continue;
                /* O_NONBLOCK: it may have become a FIFO. */
                child_fd = path_open_beneath(dirfd(dir), entry->d_name, O_RDONLY | O_NONBLOCK, 0);
                if (child_fd < 0 || fstat(child_fd, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        r = mark_tree(child_fd, project, depth + 1);
                else if (S_ISREG(st.st_mode))
                        r = mark(child_fd, project, false);
        }
        (void) closedir(dir);
        return r;
}

static int not_counted(Error *ret_error) {
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "its filesystem keeps no project quotas, which a limit in a pool of "
                         "driver \"dir\" needs: mount it with \"prjquota\" (on ext4 after "
                         "\"tune2fs -O quota,project\"), or use a btrfs pool");
}

int quota_project_set(int pool_fd, int fd, uint64_t size, Error *ret_error) {
        struct if_dqblk quota = { .dqb_valid = QIF_BLIMITS };
        uint32_t project = 0;
        int r;

        r = project_of(fd, &project);
        if (r < 0 || project < PROJECT_FIRST || project > PROJECT_FIRST + PROJECT_MASK) {
                if (size == 0)
                        return 0;
                r = r < 0 ? r : project_choose(fd, &project);
                if (r < 0)
                        return r == -EUSERS ? r : not_counted(ret_error);
                r = mark_tree(fd, project, 0);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "cannot give its files the number of a project");
        }
        quota.dqb_bhardlimit = (size + QIF_DQBLKSIZE - 1) >> QIF_DQBLKSIZE_BITS;
        r = quota_call(fd, Q_SETQUOTA, project, &quota);
        if (r == -ESRCH || r == -ENOSYS || r == -EOPNOTSUPP)
                return size == 0 ? 0 : not_counted(ret_error);
        return r;
}

int quota_project_get(int fd, uint64_t *ret_used, uint64_t *ret_size) {
        struct if_dqblk quota = { 0 };
        uint32_t project = 0;
        int r = project_of(fd, &project);

        if (r < 0 || project < PROJECT_FIRST || project > PROJECT_FIRST + PROJECT_MASK)
                return -ENODATA;
        r = quota_call(fd, Q_GETQUOTA, project, &quota);
        if (r < 0)
                return r == -ESRCH || r == -ENOENT ? -ENODATA : r;
        *ret_used = quota.dqb_curspace;
        *ret_size = quota.dqb_bhardlimit << QIF_DQBLKSIZE_BITS;
        return 0;
}
