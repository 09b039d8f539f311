/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/files/mount-link.h"
#include "service/worker/files/mount.h"

/* Replies can only fail because the kernel has forgotten the request: nothing is left to do. */
static void answer(fuse_req_t req, int r) {
        (void) fuse_reply_err(req, r < 0 ? -r : 0);
}

static int open_node(Mount *mount, fuse_ino_t id, Node **ret) {
        Node *node = node_find(mount->nodes, id);
        int fd = node ? node_open(mount->nodes, node) : -ESTALE;

        if (fd >= 0)
                *ret = node;
        return fd;
}

/* A directory in which something is made or taken away. */
static int open_parent(Mount *mount, fuse_ino_t id, const char *name, Node **ret) {
        return path_is_component(name) ? open_node(mount, id, ret) : -EINVAL;
}

void mount_fill_entry(const Node *node, const struct stat *st, struct fuse_entry_param *ret) {
        *ret = (struct fuse_entry_param) { .ino = node_get_id(node), .attr = *st };
}

static void answer_entry(fuse_req_t req, Mount *mount, Node *parent, const char *name) {
        struct fuse_entry_param entry;
        struct stat st;
        Node *node;
        int r;

        r = node_lookup(mount->nodes, parent, name, &node, &st);
        if (r < 0) {
                answer(req, r);
                return;
        }
        mount_fill_entry(node, &st, &entry);
        if (fuse_reply_entry(req, &entry) < 0)
                node_forget(mount->nodes, entry.ino, 1);
}

void mount_answer_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
        Mount *mount = fuse_req_userdata(req);
        Node *node = node_find(mount->nodes, parent);

        if (node)
                answer_entry(req, mount, node, name);
        else
                answer(req, -ESTALE);
}

void mount_answer_forget(fuse_req_t req, fuse_ino_t id, uint64_t n) {
        Mount *mount = fuse_req_userdata(req);

        node_forget(mount->nodes, id, n);
        fuse_reply_none(req);
}

/* --- attributes --- */

/* Of what is open, or else of what has the name: the name may be gone, the file is there. */
static int stat_of(Mount *mount, fuse_ino_t id, const struct fuse_file_info *info,
                   struct stat *ret) {
        const Handle *handle = info ? handle_find(mount->handles, info->fh, false) : NULL;
        Node *node;
        int fd = handle ? handle->fd : open_node(mount, id, &node);

        if (fd < 0)
                return fd;
        return fstat(fd, ret) < 0 ? -errno : 0;
}

static void answer_attributes(fuse_req_t req, Mount *mount, fuse_ino_t id,
                              const struct fuse_file_info *info) {
        struct stat st;
        int r = stat_of(mount, id, info, &st);

        if (r < 0)
                answer(req, r);
        else
                (void) fuse_reply_attr(req, &st, 0);
}

void mount_answer_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info) {
        answer_attributes(req, fuse_req_userdata(req), id, info);
}

static int set_size(Mount *mount, int fd, const Handle *handle, off_t size) {
        _cleanup_close_ int own = -EBADF;

        if (!handle) {
                own = mount_open_file(mount, fd, O_WRONLY);
                if (own < 0)
                        return own;
        }
        return ftruncate(handle ? handle->fd : own, size) < 0 ? -errno : 0;
}

static struct timespec time_to_set(int which, int set, int now, struct timespec given) {
        if (which & now)
                return (struct timespec) { .tv_nsec = UTIME_NOW };
        return which & set ? given : (struct timespec) { .tv_nsec = UTIME_OMIT };
}

static int set_attributes(Mount *mount, fuse_ino_t id, const struct stat *attr, int which,
                          const struct fuse_file_info *info) {
        const Handle *handle = info ? handle_find(mount->handles, info->fh, false) : NULL;
        const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
                          FUSE_SET_ATTR_MTIME_NOW;
        Node *node;
        int fd = handle ? handle->fd : open_node(mount, id, &node), r;
        char number[16];

        if (fd < 0)
                return fd;
        (void) g_snprintf(number, sizeof(number), "%d", fd);
        if (which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
                uid_t uid = which & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t) -1;
                gid_t gid = which & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t) -1;

                if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
        }
        /* After the owner, whose change takes set-user-id bits away. */
        if (which & FUSE_SET_ATTR_MODE &&
            fchmodat(mount->inside->self_fd, number, attr->st_mode & 07777, 0) < 0)
                return -errno;
        if (which & FUSE_SET_ATTR_SIZE) {
                r = set_size(mount, fd, handle, attr->st_size);
                if (r < 0)
                        return r;
        }
        if (which & times) {
                const struct timespec set[] = {
                        time_to_set(which, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW,
                                    attr->st_atim),
                        time_to_set(which, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW,
                                    attr->st_mtim),
                };

                if (utimensat(fd, "", set, AT_EMPTY_PATH) < 0)
                        return -errno;
        }
        return 0;
}

void mount_answer_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int which,
                          struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        int r = set_attributes(mount, id, attr, which, info);

        if (r < 0)
                answer(req, r);
        else
                answer_attributes(req, mount, id, info);
}

void mount_answer_statfs(fuse_req_t req, fuse_ino_t id) {
        struct statvfs st;
        Node *node;
        int fd = open_node(fuse_req_userdata(req), id, &node);

        if (fd < 0)
                answer(req, fd);
        else if (fstatvfs(fd, &st) < 0)
                answer(req, -errno);
        else
                (void) fuse_reply_statfs(req, &st);
}

void mount_answer_readlink(fuse_req_t req, fuse_ino_t id) {
        g_autofree char *held = g_malloc0(PATH_MAX), *told = NULL;
        Mount *mount = fuse_req_userdata(req);
        Node *node;
        int fd = open_node(mount, id, &node);

        if (fd < 0) {
                answer(req, fd);
                return;
        }
        if (!node_get_parent(node) || readlinkat(fd, "", held, PATH_MAX - 1) < 0) {
                answer(req, -EINVAL);
                return;
        }
        told = mount_link_target(held, mount->mounted, node_get_depth(node_get_parent(node)));
        if (!told)
                answer(req, -EXDEV);
        else if (strlen(told) >= PATH_MAX)
                answer(req, -ENAMETOOLONG);
        else
                (void) fuse_reply_readlink(req, told);
}

/* --- names come and go --- */

void mount_answer_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                        dev_t device) {
        Mount *mount = fuse_req_userdata(req);
        Node *node;
        int fd = open_parent(mount, parent, name, &node);

        if (fd < 0)
                answer(req, fd);
        else if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
                answer(req, -EPERM);
        else if (mknodat(fd, name, mode, 0) < 0)
                answer(req, -errno);
        else
                answer_entry(req, mount, node, name);
}

void mount_answer_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
        Mount *mount = fuse_req_userdata(req);
        Node *node;
        int fd = open_parent(mount, parent, name, &node);

        if (fd < 0)
                answer(req, fd);
        else if (mkdirat(fd, name, mode & 07777) < 0)
                answer(req, -errno);
        else
                answer_entry(req, mount, node, name);
}

void mount_answer_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                          const char *name) {
        Mount *mount = fuse_req_userdata(req);
        Node *node;
        int fd = open_parent(mount, parent, name, &node);

        if (fd < 0)
                answer(req, fd);
        else if (symlinkat(target, fd, name) < 0)
                answer(req, -errno);
        else
                answer_entry(req, mount, node, name);
}

void mount_answer_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name) {
        Mount *mount = fuse_req_userdata(req);
        _cleanup_close_ int file_fd = -EBADF;
        char number[16];
        Node *node;
        int fd;

        fd = open_node(mount, id, &node);
        /* The table may close its own for the sake of the directory's. */
        file_fd = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (file_fd < 0) {
                answer(req, fd < 0 ? fd : -errno);
                return;
        }
        fd = open_parent(mount, parent, name, &node);
        (void) g_snprintf(number, sizeof(number), "%d", file_fd);
        if (fd < 0)
                answer(req, fd);
        else if (linkat(mount->inside->self_fd, number, fd, name, AT_SYMLINK_FOLLOW) < 0)
                answer(req, -errno);
        else
                answer_entry(req, mount, node, name);
}

static void remove_entry(fuse_req_t req, fuse_ino_t parent, const char *name, int flags) {
        Mount *mount = fuse_req_userdata(req);
        Node *node;
        int fd = open_parent(mount, parent, name, &node);

        if (fd < 0 || unlinkat(fd, name, flags) < 0) {
                answer(req, fd < 0 ? fd : -errno);
                return;
        }
        node_removed(mount->nodes, node, name);
        answer(req, 0);
}

void mount_answer_unlink(fuse_req_t req, fuse_ino_t parent, const char *name) {
        remove_entry(req, parent, name, 0);
}

void mount_answer_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name) {
        remove_entry(req, parent, name, AT_REMOVEDIR);
}

static int rename_entry(Mount *mount, fuse_ino_t parent, const char *name, fuse_ino_t to,
                        const char *new_name, unsigned flags) {
        _cleanup_close_ int from_fd = -EBADF;
        Node *from, *target;
        int fd;

        if (flags & ~(unsigned) RENAME_NOREPLACE)
                return -EINVAL;
        fd = open_parent(mount, parent, name, &from);
        if (fd < 0)
                return fd;
        from_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (from_fd < 0)
                return -errno;
        fd = open_parent(mount, to, new_name, &target);
        if (fd < 0)
                return fd;
        if (!node_may_move(mount->nodes, from, name, target))
                return -EINVAL;
        if (renameat2(from_fd, name, fd, new_name, flags) < 0)
                return -errno;
        node_moved(mount->nodes, from, name, target, new_name);
        return 0;
}

void mount_answer_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
                         const char *new_name, unsigned flags) {
        answer(req, rename_entry(fuse_req_userdata(req), parent, name, to, new_name, flags));
}
