/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/user-namespace.h"

/* More mounts than this over each other are somebody's game. */
#define MOUNT_STACK_MAX 32

int mount_bind(int source_fd, int target_fd) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        _cleanup_close_ int fd = -EBADF;

        fd = open_tree(source_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
                return -errno;
        if (move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0)
                return -errno;
        return 0;
}

int mount_device(const char *filesystem, const char *device, int target_fd) {
        _cleanup_close_ int context_fd = -EBADF, fd = -EBADF;

        context_fd = fsopen(filesystem, FSOPEN_CLOEXEC);
        if (context_fd < 0)
                return -errno;
        if (fsconfig(context_fd, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
            fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context_fd, FSMOUNT_CLOEXEC,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
        if (fd < 0)
                return -errno;
        if (move_mount(fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0)
                return -errno;
        return 0;
}

int mount_is_root(int fd) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, 0, &st) < 0)
                return -errno;
        if (!(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
                return -EOPNOTSUPP;
        return !!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int mount_end(int dir_fd, const char *name) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", dir_fd, name);

        if (!path_is_component(name))
                return -EINVAL;
        for (int i = 0; i < MOUNT_STACK_MAX; i++) {
                if (umount2(path, UMOUNT_NOFOLLOW) >= 0)
                        continue;
                /* EINVAL: not a mount (any more) */
                return errno == EINVAL || errno == ENOENT ? 0 : -errno;
        }
        return -EBUSY;
}

int mount_can_idmap(int fd) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP };
        g_autoptr(IdMap) map = idmap_new_range((IdRange) { ID_RANGE_JAIL_BASE, ID_RANGE_SIZE });
        _cleanup_close_ int namespace_fd = -EBADF, tree_fd = -EBADF;

        namespace_fd = user_namespace_new(map);
        if (namespace_fd < 0)
                return namespace_fd;
        tree_fd = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree_fd < 0)
                return -errno;
        attributes.userns_fd = (uint64_t) namespace_fd;
        return mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) >= 0;
}
