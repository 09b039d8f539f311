/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/quota-btrfs.h"

#include <endian.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <btrfsutil.h>

/* libbtrfsutil knows of no limits: these are the kernel's own calls. */

/* Reads one item of the tree of quotas. -ENOENT where there is none, or no such tree. */
static int read_item(int fd, uint32_t type, uint64_t id, void *item, size_t size) {
        struct btrfs_ioctl_search_args args = {
                .key = {
                        .tree_id = BTRFS_QUOTA_TREE_OBJECTID,
                        .min_type = type,
                        .max_type = type,
                        .min_offset = id,
                        .max_offset = id,
                        .max_transid = UINT64_MAX,
                        .nr_items = 1,
                },
        };
        struct btrfs_ioctl_search_header header;

        if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) < 0)
                return -errno;
        if (args.key.nr_items == 0)
                return -ENOENT;
        memcpy(&header, args.buf, sizeof(header));
        /* Newer kernels have put more at the ends of some. */
        if (header.len < size)
                return -EUCLEAN;
        memcpy(item, args.buf + sizeof(header), size);
        return 0;
}

/* Positive if the counts are kept; *ret_right: and are what they should be. */
static int quota_status(int fd, bool *ret_right) {
        struct btrfs_qgroup_status_item status;
        uint64_t flags;
        int r = read_item(fd, BTRFS_QGROUP_STATUS_KEY, 0, &status, sizeof(status));

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        flags = le64toh(status.flags);
        *ret_right = !(flags & (BTRFS_QGROUP_STATUS_FLAG_INCONSISTENT |
                                BTRFS_QGROUP_STATUS_FLAG_RESCAN));
        return !!(flags & BTRFS_QGROUP_STATUS_FLAG_ON);
}

/* Deleting large subvolumes leaves the counts wrong: then they are made anew, too. */
static int quota_turn_on(int fd) {
        struct btrfs_ioctl_quota_ctl_args control = { .cmd = BTRFS_QUOTA_CTL_ENABLE };
        struct btrfs_ioctl_quota_rescan_args rescan = { 0 };
        bool right = false;
        int r = quota_status(fd, &right);

        if (r < 0)
                return r;
        if (r == 0 && ioctl(fd, BTRFS_IOC_QUOTA_CTL, &control) < 0)
                return -errno;
        if (right)
                return 0;
        /* EINPROGRESS: turning them on has begun it. EINVAL: simple quotas have none. */
        if (ioctl(fd, BTRFS_IOC_QUOTA_RESCAN, &rescan) < 0 && errno != EINPROGRESS &&
            errno != EINVAL)
                return -errno;
        while (ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_WAIT) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int quota_btrfs_set(int pool_fd, int fd, uint64_t size, Error *ret_error) {
        struct btrfs_ioctl_qgroup_limit_args args = {
                .lim = {
                        .flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
                        .max_rfer = size > 0 ? size : UINT64_MAX,
                },
        };
        uint64_t id;
        bool unused;
        int r;

        if (size == 0) {
                r = quota_status(pool_fd, &unused);
                if (r <= 0)
                        return r;
        } else {
                r = quota_turn_on(pool_fd);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "cannot turn on btrfs quotas");
        }
        if (btrfs_util_subvolume_id_fd(fd, &id))
                return -errno;
        args.qgroupid = id;
        if (ioctl(pool_fd, BTRFS_IOC_QGROUP_LIMIT, &args) >= 0)
                return 0;
        /* A subvolume from a time when nothing was counted may have no group; that is no limit. */
        return errno == ENOENT && size == 0 ? 0 : -errno;
}

int quota_btrfs_get(int fd, uint64_t *ret_used, uint64_t *ret_size) {
        struct btrfs_qgroup_limit_item limit = { 0 };
        struct btrfs_qgroup_info_item info;
        uint64_t id, size = 0;
        bool unused;
        int r;

        r = quota_status(fd, &unused);
        if (r <= 0)
                return r < 0 ? r : -ENODATA;
        /* The counts are written with what they count. */
        if (syncfs(fd) < 0)
                return -errno;
        if (btrfs_util_subvolume_id_fd(fd, &id))
                return -errno;
        r = read_item(fd, BTRFS_QGROUP_INFO_KEY, id, &info, sizeof(info));
        if (r < 0)
                return r == -ENOENT ? -ENODATA : r;
        r = read_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &limit, sizeof(limit));
        if (r < 0 && r != -ENOENT)
                return r;
        if (le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER)
                size = le64toh(limit.max_rfer);
        *ret_used = le64toh(info.rfer);
        *ret_size = size == UINT64_MAX ? 0 : size;
        return 0;
}
