/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/files/mount.h"

/* Of the flags of an open(): how it reads and writes. */
#define FLAGS_TAKEN (O_ACCMODE | O_APPEND | O_TRUNC | O_DSYNC | O_SYNC)
/* What is opened may have become something else, which is not to be waited for. */
#define FLAGS_ADDED (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static void answer(fuse_req_t req, int r) {
        (void) fuse_reply_err(req, r < 0 ? -r : 0);
}

int mount_reopen(const Mount *mount, int fd, int flags) {
        char number[16];
        int r;

        (void) g_snprintf(number, sizeof(number), "%d", fd);
        r = openat(mount->inside->self_fd, number, (flags | FLAGS_ADDED) & ~O_NOFOLLOW);
        return r < 0 ? -errno : r;
}

int mount_open_file(const Mount *mount, int fd, int flags) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        /* Opening anything else does something; the kernel does that on its own side. */
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -ENXIO;
        return mount_reopen(mount, fd, flags & FLAGS_TAKEN);
}

/* Files of the kernel have no size to be read up to. */
static void set_direct(struct fuse_file_info *info, int fd) {
        struct stat st;

        info->direct_io = (info->flags & O_ACCMODE) == O_RDONLY && fstat(fd, &st) >= 0 &&
                          st.st_size == 0;
}

/* --- files --- */

/* The handle of a file that is to be opened; `fd` is of the node. */
static int open_file(Mount *mount, int fd, struct fuse_file_info *info) {
        int file_fd = mount_open_file(mount, fd, info->flags);

        if (file_fd < 0)
                return file_fd;
        set_direct(info, file_fd);
        return handle_new(mount->handles, file_fd, false, &info->fh);
}

static void release(Mount *mount, const struct fuse_file_info *info, bool directory) {
        Handle *handle = handle_find(mount->handles, info->fh, directory);

        if (handle)
                handle_free(handle);
}

void mount_answer_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        Node *node = node_find(mount->nodes, id);
        int fd = node ? node_open(mount->nodes, node) : -ESTALE;
        int r = fd < 0 ? fd : open_file(mount, fd, info);

        if (r < 0)
                answer(req, r);
        else if (fuse_reply_open(req, info) < 0)
                release(mount, info, false); /* who wanted it was interrupted */
}

/* Makes it, unless it is there: then it is opened like any other. */
static int create_file(Mount *mount, Node *parent, const char *name, mode_t mode,
                       struct fuse_file_info *info) {
        int flags = (info->flags & FLAGS_TAKEN) | FLAGS_ADDED | O_CREAT | O_EXCL;
        int dir_fd = node_open(mount->nodes, parent), fd;

        if (dir_fd < 0)
                return dir_fd;
        if (!path_is_component(name))
                return -EINVAL;
        fd = openat(dir_fd, name, flags, mode & 07777);
        if (fd < 0)
                return errno == EEXIST && !(info->flags & O_EXCL) ? 0 : -errno;
        return handle_new(mount->handles, fd, false, &info->fh) < 0 ? -ENFILE : 1;
}

void mount_answer_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                         struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        Node *directory = node_find(mount->nodes, parent), *node;
        struct fuse_entry_param entry;
        bool made = false;
        struct stat st;
        int r;

        r = directory ? create_file(mount, directory, name, mode, info) : -ESTALE;
        if (r >= 0) {
                made = r > 0;
                r = node_lookup(mount->nodes, directory, name, &node, &st);
        }
        if (r >= 0) {
                mount_fill_entry(node, &st, &entry);
                if (!made) {
                        r = node_open(mount->nodes, node);
                        r = r < 0 ? r : open_file(mount, r, info);
                        if (r < 0)
                                node_forget(mount->nodes, entry.ino, 1);
                }
        } else if (made)
                release(mount, info, false);
        if (r < 0)
                answer(req, r);
        else if (fuse_reply_create(req, &entry, info) < 0) {
                release(mount, info, false);
                node_forget(mount->nodes, entry.ino, 1);
        }
}

void mount_answer_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info) {
        release(fuse_req_userdata(req), info, false);
        answer(req, 0);
}

static int file_of(fuse_req_t req, const struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        const Handle *handle = handle_find(mount->handles, info->fh, false);

        return handle ? handle->fd : -EBADF;
}

void mount_answer_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
                       struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        ssize_t n = pread(file_of(req, info), mount->buffer, MIN(size, MOUNT_BUFFER_SIZE), offset);

        if (n < 0)
                answer(req, -errno);
        else
                (void) fuse_reply_buf(req, mount->buffer, (size_t) n);
}

void mount_answer_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset,
                        struct fuse_file_info *info) {
        ssize_t n = pwrite(file_of(req, info), data, size, offset);

        if (n < 0)
                answer(req, -errno);
        else
                (void) fuse_reply_write(req, (size_t) n);
}

void mount_answer_fsync(fuse_req_t req, fuse_ino_t id, int data_only,
                        struct fuse_file_info *info) {
        int fd = file_of(req, info);

        answer(req, (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0);
}

void mount_answer_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
                        struct fuse_file_info *info) {
        off_t found = lseek(file_of(req, info), offset, whence);

        if (found < 0)
                answer(req, -errno);
        else
                (void) fuse_reply_lseek(req, found);
}

void mount_answer_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t length,
                            struct fuse_file_info *info) {
        answer(req, fallocate(file_of(req, info), mode, offset, length) < 0 ? -errno : 0);
}

/* --- directories --- */

void mount_answer_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        Node *node = node_find(mount->nodes, id);
        int r = node ? node_open(mount->nodes, node) : -ESTALE;

        if (r >= 0)
                r = mount_reopen(mount, r, O_RDONLY | O_DIRECTORY);
        if (r >= 0)
                r = handle_new(mount->handles, r, true, &info->fh);
        if (r < 0)
                answer(req, r);
        else if (fuse_reply_open(req, info) < 0)
                release(mount, info, true);
}

void mount_answer_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info) {
        release(fuse_req_userdata(req), info, true);
        answer(req, 0);
}

void mount_answer_fsyncdir(fuse_req_t req, fuse_ino_t id, int data_only,
                           struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        const Handle *handle = handle_find(mount->handles, info->fh, true);

        answer(req, !handle ? -EBADF : fsync(handle->fd) < 0 ? -errno : 0);
}

/* The next entry, which is not taken yet. Returns 1, 0 at the end, or -errno. */
static int next_entry(Handle *handle) {
        if (handle->pending)
                return 1;
        errno = 0;
        handle->pending = readdir(handle->dir);
        return handle->pending ? 1 : -errno;
}

static int fill_entries(fuse_req_t req, Handle *handle, char *buffer, size_t size,
                        size_t *ret_used) {
        int r;

        while ((r = next_entry(handle)) > 0) {
                const struct dirent *entry = handle->pending;
                const struct stat st = {
                        .st_ino = entry->d_ino,
                        .st_mode = DTTOIF(entry->d_type),
                };
                size_t n = fuse_add_direntry(req, buffer + *ret_used, size - *ret_used,
                                             entry->d_name, &st, entry->d_off);

                if (n > size - *ret_used)
                        return 0;
                *ret_used += n;
                handle->offset = entry->d_off;
                handle->pending = NULL;
        }
        return r;
}

void mount_answer_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
                          struct fuse_file_info *info) {
        Mount *mount = fuse_req_userdata(req);
        Handle *handle = handle_find(mount->handles, info->fh, true);
        size_t used = 0;
        int r;

        if (!handle) {
                answer(req, -EBADF);
                return;
        }
        if (offset != handle->offset) {
                seekdir(handle->dir, offset);
                handle->offset = offset;
                handle->pending = NULL;
        }
        r = fill_entries(req, handle, mount->buffer, MIN(size, MOUNT_BUFFER_SIZE), &used);
        /* What was read before the error is told first. */
        if (r < 0 && used == 0)
                answer(req, r);
        else
                (void) fuse_reply_buf(req, mount->buffer, used);
}
