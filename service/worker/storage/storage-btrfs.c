/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <btrfsutil.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/quota-btrfs.h"
#include "service/worker/storage/subvolume.h"

/* Of Linux 6.13, and not in every linux/btrfs.h yet. */
struct subvolume_wait {
        uint64_t subvolume;
        uint32_t mode;
        uint32_t count;
};

#define SUBVOLUME_WAIT _IOW(BTRFS_IOCTL_MAGIC, 65, struct subvolume_wait)
#define SUBVOLUME_WAIT_FOR_QUEUED 1

/*
 * Volumes are subvolumes. A container may make subvolumes of its own (systemd does, for
 * /var/lib/machines), with names, depth and read-only flags of its choosing, and may move them
 * while we work: they are found and opened by number, see subvolume.h, never by path.
 */

static int btrfs_check(int fd) {
        struct statfs st;

        if (fstatfs(fd, &st) < 0)
                return -errno;
        return st.f_type == BTRFS_SUPER_MAGIC ? 0 : -EOPNOTSUPP;
}

/* What was deleted goes in the background, and its room comes back with it: where there is none,
 * waits for that. True when it is worth another try; an older kernel cannot say when. */
static bool btrfs_wait_for_room(int fd) {
        struct subvolume_wait wait = { .mode = SUBVOLUME_WAIT_FOR_QUEUED };
        g_autofree uint64_t *ids = NULL;
        size_t n = 0;

        if (btrfs_util_deleted_subvolumes_fd(fd, &ids, &n) || n == 0)
                return false;
        /* Starts it. */
        if (btrfs_util_sync_fd(fd) || ioctl(fd, SUBVOLUME_WAIT, &wait) < 0)
                return false;
        return btrfs_util_sync_fd(fd) == BTRFS_UTIL_OK;
}

static int btrfs_create(int dir_fd, const char *name, uint64_t size, Error *ret_error) {
        for (bool again = false;; again = true) {
                int r = btrfs_util_create_subvolume_fd(dir_fd, name, 0, NULL, NULL) ? -errno : 0;

                if (r != -ENOSPC || again || !btrfs_wait_for_room(dir_fd))
                        return r;
        }
}

/* Taking a snapshot commits the transaction that it is part of: when it returns, it is on disk. */
static int btrfs_snapshot(int source_fd, int dir_fd, const char *name, bool read_only) {
        int flags = read_only ? BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY : 0;

        for (bool again = false;; again = true) {
                int r = btrfs_util_create_snapshot_fd2(source_fd, dir_fd, name, flags, NULL, NULL)
                                ? -errno : 0;

                if (r != -ENOSPC || again || !btrfs_wait_for_room(dir_fd))
                        return r;
        }
}

static int btrfs_seal(int fd) {
        return btrfs_util_set_subvolume_read_only_fd(fd, true) ? -errno : 0;
}

/* Puts a snapshot of a nested subvolume at the same place in the snapshot of its parent, where the
 * kernel left an empty directory instead. One that has gone or moved meanwhile is passed over: the
 * copy then has it as it would after a power cut at this moment. */
static int btrfs_snapshot_nested(int source_fd, const Subvolume *nested, GHashTable *copies) {
        _cleanup_close_ int child_fd = -EBADF, dir_fd = -EBADF, copy_fd = -EBADF;
        const uint64_t *parent = g_hash_table_lookup(copies, &nested->parent_id);
        g_autofree uint64_t *copy_id = NULL;
        int r;

        if (!parent)
                return 0;
        child_fd = subvolume_open_directory(source_fd, nested->id, SUBVOLUME_ROOT_INODE);
        if (child_fd < 0)
                return child_fd == -ENOENT || child_fd == -ESTALE ? 0 : child_fd;
        dir_fd = subvolume_open_directory(source_fd, *parent, nested->directory);
        if (dir_fd < 0)
                return dir_fd == -ENOENT || dir_fd == -ESTALE ? 0 : dir_fd;
        if (unlinkat(dir_fd, nested->name, AT_REMOVEDIR) < 0)
                return errno == ENOENT || errno == ENOTEMPTY || errno == ENOTDIR ? 0 : -errno;
        r = btrfs_snapshot(child_fd, dir_fd, nested->name, false);
        if (r < 0)
                return r;

        copy_fd = path_open_beneath(dir_fd, nested->name, O_RDONLY | O_DIRECTORY, 0);
        if (copy_fd < 0)
                return copy_fd;
        copy_id = g_new0(uint64_t, 1);
        if (btrfs_util_subvolume_id_fd(copy_fd, copy_id))
                return -errno;
        g_hash_table_insert(copies, g_memdup2(&nested->id, sizeof(nested->id)),
                            g_steal_pointer(&copy_id));
        return 0;
}

/* Read-only subvolumes become so last, when everything is in them. */
static int btrfs_copy_read_only(int source_fd, const GPtrArray *nested, GHashTable *copies) {
        for (guint i = 0; i < nested->len; i++) {
                const Subvolume *s = nested->pdata[i];
                const uint64_t *copy = g_hash_table_lookup(copies, &s->id);
                _cleanup_close_ int fd = -EBADF;
                int r;

                if (!copy || !s->read_only)
                        continue;
                fd = subvolume_open_directory(source_fd, *copy, SUBVOLUME_ROOT_INODE);
                if (fd < 0)
                        return fd;
                r = btrfs_seal(fd);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int btrfs_clone(int source_fd, int dir_fd, const char *name, Error *ret_error) {
        g_autoptr(GHashTable) copies =
                g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        g_autoptr(GPtrArray) nested = NULL;
        _cleanup_close_ int copy_fd = -EBADF;
        uint64_t id, copy_id;
        int r;

        r = subvolume_list_nested(source_fd, &nested);
        if (r < 0)
                return r;
        r = btrfs_snapshot(source_fd, dir_fd, name, false);
        if (r < 0 || nested->len == 0)
                return r;

        copy_fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        if (copy_fd < 0)
                return copy_fd;
        if (btrfs_util_subvolume_id_fd(source_fd, &id) ||
            btrfs_util_subvolume_id_fd(copy_fd, &copy_id))
                return -errno;
        g_hash_table_insert(copies, g_memdup2(&id, sizeof(id)), g_memdup2(&copy_id, sizeof(id)));
        for (guint i = 0; i < nested->len; i++) {
                if (worker_is_cancelled())
                        return worker_cancelled(ret_error);
                r = btrfs_snapshot_nested(source_fd, nested->pdata[i], copies);
                if (r < 0)
                        return r;
        }
        return btrfs_copy_read_only(source_fd, nested, copies);
}

static int btrfs_clone_at_once(int source_fd, int dir_fd, const char *name, bool read_only) {
        g_autoptr(GPtrArray) nested = NULL;
        int r;

        r = subvolume_list_nested(source_fd, &nested);
        if (r < 0)
                return r;
        return nested->len > 0 ? -EOPNOTSUPP
                               : btrfs_snapshot(source_fd, dir_fd, name, read_only);
}

/* Parents come before their children in the list. Nothing can be removed from a subvolume that is
 * read-only. */
static int btrfs_remove_nested(int fd) {
        g_autoptr(GPtrArray) nested = NULL;
        int r;

        r = subvolume_list_nested(fd, &nested);
        if (r < 0 || nested->len == 0)
                return r;
        if (btrfs_util_set_subvolume_read_only_fd(fd, false))
                return -errno;
        for (guint i = 0; i < nested->len; i++) {
                const Subvolume *s = nested->pdata[i];
                _cleanup_close_ int child_fd = -EBADF;

                if (!s->read_only)
                        continue;
                child_fd = subvolume_open_directory(fd, s->id, SUBVOLUME_ROOT_INODE);
                if (child_fd < 0)
                        return child_fd;
                if (btrfs_util_set_subvolume_read_only_fd(child_fd, false))
                        return -errno;
        }
        for (guint i = nested->len; i > 0; i--) {
                const Subvolume *s = nested->pdata[i - 1];
                _cleanup_close_ int parent_fd =
                        subvolume_open_directory(fd, s->parent_id, s->directory);

                if (parent_fd < 0)
                        return parent_fd;
                if (btrfs_util_delete_subvolume_fd(parent_fd, s->name, 0))
                        return -errno;
        }
        return 0;
}

/* Fails, changing nothing, where there are nested ones, or something else than a subvolume. */
static int btrfs_remove_at_once(int dir_fd, const char *name) {
        if (!btrfs_util_delete_subvolume_fd(dir_fd, name, 0))
                return 0;
        return errno == ENOTEMPTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

static int btrfs_remove(int dir_fd, const char *name) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        if (fd == -ENOENT)
                return 0;
        if (fd == -ENOTDIR || fd == -ELOOP)
                return path_remove_tree(dir_fd, name);
        if (fd < 0)
                return fd;
        if (btrfs_util_is_subvolume_fd(fd))
                return path_remove_tree(dir_fd, name);

        r = btrfs_remove_nested(fd);
        if (r < 0)
                return r;
        return btrfs_util_delete_subvolume_fd(dir_fd, name, 0) ? -errno : 0;
}

const PoolDriver pool_driver_btrfs = {
        .name = "btrfs",
        .takes_pictures = true,
        .check = btrfs_check,
        .create = btrfs_create,
        .clone = btrfs_clone,
        .clone_at_once = btrfs_clone_at_once,
        .seal = btrfs_seal,
        .remove = btrfs_remove,
        .remove_at_once = btrfs_remove_at_once,
        .set_size = quota_btrfs_set,
        .get_size = quota_btrfs_get,
};
