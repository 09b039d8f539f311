/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/tree.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/worker.h"

#define XATTR_CAPABILITY "security.capability"
#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

typedef struct TreeShift {
        const IdMap *map;
        GHashTable *done;  /* inode numbers of files that have several names */
        GString *path; /* of the entry that is being shifted */
        unsigned depth;
} TreeShift;

/* Size of the attribute's value, 0 where the file has none. */
static ssize_t xattr_read(const char *path, const char *name, void *value, size_t size) {
        ssize_t n = getxattr(path, name, value, size);

        if (n < 0)
                return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
        return n;
}

static int shift_acl(const TreeShift *shift, const char *path, const char *name) {
        g_autofree struct posix_acl_xattr_header *acl = g_malloc(XATTR_SIZE_MAX);
        struct posix_acl_xattr_entry *entries = (void *) (acl + 1);
        ssize_t size = xattr_read(path, name, acl, XATTR_SIZE_MAX);
        size_t n;

        if (size <= 0)
                return (int) size;
        if ((size_t) size < sizeof(*acl) || le32toh(acl->a_version) != POSIX_ACL_XATTR_VERSION)
                return -EBADMSG;
        n = ((size_t) size - sizeof(*acl)) / sizeof(*entries);
        for (size_t i = 0; i < n; i++) {
                uint16_t tag = le16toh(entries[i].e_tag);
                uint32_t id = le32toh(entries[i].e_id);

                if (tag != ACL_USER && tag != ACL_GROUP)
                        continue;
                if (!idmap_to_host(shift->map, tag == ACL_USER ? ID_USER : ID_GROUP, id, &id))
                        return -EOVERFLOW;
                entries[i].e_id = htole32(id);
        }
        return setxattr(path, name, acl, (size_t) size, 0) < 0 ? -errno : 0;
}

/* What the file's capabilities are to be: revision 3 says whose root they speak of. 0 where it has
 * none. */
static int shift_capabilities(const TreeShift *shift, const char *path,
                              struct vfs_ns_cap_data *ret) {
        struct vfs_ns_cap_data data = { 0 };
        ssize_t size = xattr_read(path, XATTR_CAPABILITY, &data, sizeof(data));
        uint32_t magic, root;

        if (size <= 0)
                return (int) size;
        magic = le32toh(data.magic_etc);
        if ((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_1 ||
            size < (ssize_t) XATTR_CAPS_SZ_2)
                return -EBADMSG;
        if (!idmap_to_host(shift->map, ID_USER, 0, &root))
                return -EOVERFLOW;
        data.magic_etc = htole32(VFS_CAP_REVISION_3 | (magic & VFS_CAP_FLAGS_MASK));
        data.rootid = htole32(root);
        *ret = data;
        return 1;
}

/* Another name of a file that was shifted: an owner does not tell, since holes in a map may give an
 * id twice, before and after. */
static bool is_done(const TreeShift *shift, const struct stat *st) {
        guint64 *inode;

        if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
                return false;
        inode = g_new(guint64, 1);
        *inode = st->st_ino;
        return !g_hash_table_add(shift->done, inode);
}

/* A new owner clears capabilities and the setuid bit, so these come after it. */
static int shift_file(const TreeShift *shift, int fd) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        struct vfs_ns_cap_data capabilities;
        bool has_capabilities;
        struct stat st;
        uint32_t uid, gid;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (is_done(shift, &st))
                return 0;
        if (!idmap_to_host(shift->map, ID_USER, st.st_uid, &uid) ||
            !idmap_to_host(shift->map, ID_GROUP, st.st_gid, &gid))
                return -EOVERFLOW;
        if (S_ISLNK(st.st_mode))
                return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;

        r = shift_capabilities(shift, path, &capabilities);
        if (r < 0)
                return r;
        has_capabilities = r > 0;
        r = shift_acl(shift, path, XATTR_ACL_ACCESS);
        if (r >= 0 && S_ISDIR(st.st_mode))
                r = shift_acl(shift, path, XATTR_ACL_DEFAULT);
        if (r < 0)
                return r;
        if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
                return -errno;
        if (chmod(path, st.st_mode & 07777) < 0)
                return -errno;
        if (has_capabilities &&
            setxattr(path, XATTR_CAPABILITY, &capabilities, sizeof(capabilities), 0) < 0)
                return -errno;
        return 0;
}

static int shift_directory(TreeShift *shift, int fd, Error *ret_error);

static int shift_entry(TreeShift *shift, int dir_fd, const char *name, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (worker_is_cancelled())
                return worker_cancelled(ret_error);
        fd = path_open_beneath(dir_fd, name, O_PATH | O_NOFOLLOW, 0);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode)) {
                r = shift_directory(shift, fd, ret_error);
                if (r < 0)
                        return r;
        }
        return shift_file(shift, fd);
}

static int shift_entries(TreeShift *shift, DIR *dir, Error *ret_error) {
        size_t length = shift->path->len;
        struct dirent *entry;

        while ((errno = 0, entry = readdir(dir))) {
                int r;

                if (!path_is_component(entry->d_name))
                        continue;
                if (length > 0)
                        g_string_append_c(shift->path, '/');
                g_string_append(shift->path, entry->d_name);
                r = shift_entry(shift, dirfd(dir), entry->d_name, ret_error);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot shift the owner of \"%s\"",
                                               shift->path->str);
                g_string_truncate(shift->path, length);
        }
        return -errno;
}

static int shift_directory(TreeShift *shift, int fd, Error *ret_error) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        _cleanup_close_ int read_fd = -EBADF;
        DIR *dir;
        int r;

        if (shift->depth >= TREE_DEPTH_MAX)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Cannot shift a tree of more than %d directories in each other",
                                 TREE_DEPTH_MAX);
        read_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (read_fd < 0)
                return -errno;
        dir = fdopendir(read_fd);
        if (!dir)
                return -errno;
        TAKE_FD(read_fd);

        shift->depth++;
        r = shift_entries(shift, dir, ret_error);
        shift->depth--;
        (void) closedir(dir);
        return r;
}

int tree_shift(int root_fd, const IdMap *map, Error *ret_error) {
        g_autoptr(GHashTable) done = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                                           NULL);
        g_autoptr(GString) path = g_string_new(NULL);
        TreeShift shift = { .map = map, .done = done, .path = path };
        int r;

        if (idmap_is_host(map))
                return 0;
        r = shift_directory(&shift, root_fd, ret_error);
        if (r < 0)
                return r;
        return shift_file(&shift, root_fd);
}
