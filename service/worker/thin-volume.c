/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/thin-volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/program.h"

#define POOL_FILE "pool"
#define VOLUME_FILE "volume"
#define FILE_SIZE_MAX 4096
#define NO_OPTIONS "-"
/* Inode of the root directory of an ext4. */
#define TREE_ROOT_INODE 2
/* custom-snapshots/VOLUME */
#define TREE_DEPTH_MAX 3

void thin_pool_done(ThinPool *pool) {
        g_clear_pointer(&pool->name, g_free);
        g_clear_pointer(&pool->filesystem, g_free);
        g_clear_pointer(&pool->options, g_free);
}

void thin_volume_done(ThinVolume *volume) {
        g_clear_pointer(&volume->name, g_free);
        g_clear_pointer(&volume->filesystem, g_free);
}

/* --- The files of a tree: one line of words ---------------------------------------------- */

static int read_words(int dir_fd, const char *file, guint count, GStrv *ret) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, file, O_RDONLY | O_NONBLOCK, 0);
        g_autofree char *text = NULL;
        g_auto(GStrv) words = NULL;
        int r = fd < 0 ? fd : fd_read_text(fd, FILE_SIZE_MAX, &text);

        if (r < 0)
                return r == -ENOENT ? -ENODATA : r;
        words = g_strsplit(g_strchomp(text), " ", -1);
        if (g_strv_length(words) != count)
                return -EBADMSG;
        *ret = g_steal_pointer(&words);
        return 0;
}

int thin_pool_write(int root_fd, const ThinPool *pool) {
        g_autofree char *text = g_strdup_printf("%s %s %" G_GUINT64_FORMAT " %s\n", pool->name,
                                                pool->filesystem, pool->size,
                                                *pool->options ? pool->options : NO_OPTIONS);

        return path_replace_file(root_fd, POOL_FILE, text, strlen(text), 0600);
}

/* The root is few steps up; a tree is on a file system of its own. */
static int open_root(int dir_fd, int *ret_fd) {
        _cleanup_close_ int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);

        for (int i = 0; fd >= 0 && i <= TREE_DEPTH_MAX; i++) {
                struct stat st;
                int parent;

                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_ino == TREE_ROOT_INODE) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
                parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                (void) fd_close(fd);
                fd = parent;
        }
        return fd < 0 ? -errno : -ENODATA;
}

int thin_pool_read(int dir_fd, ThinPool *ret) {
        _cleanup_close_ int root_fd = -EBADF;
        g_auto(GStrv) words = NULL;
        guint64 size;
        int r;

        r = open_root(dir_fd, &root_fd);
        if (r >= 0)
                r = read_words(root_fd, POOL_FILE, 4, &words);
        if (r < 0)
                return r;
        if (!g_ascii_string_to_unsigned(words[2], 10, 1, G_MAXINT64, &size, NULL))
                return -EBADMSG;
        *ret = (ThinPool) {
                .name = g_strdup(words[0]),
                .filesystem = g_strdup(words[1]),
                .size = size,
                .options = g_strdup(g_str_equal(words[3], NO_OPTIONS) ? "" : words[3]),
        };
        return 0;
}

int thin_volume_write(int dir_fd, const char *name, const ThinVolume *volume) {
        g_autofree char *text = g_strdup_printf("%s %s\n", volume->name, volume->filesystem);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!path_is_component(name))
                return -EINVAL;
        if (mkdirat(dir_fd, name, 0700) < 0)
                return -errno;
        fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        r = fd < 0 ? fd : path_replace_file(fd, VOLUME_FILE, text, strlen(text), 0600);
        if (r >= 0 && fsync(dir_fd) < 0)
                r = -errno;
        if (r < 0)
                (void) path_remove_tree(dir_fd, name);
        return r;
}

int thin_volume_read(int dir_fd, const char *name, ThinVolume *ret) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        g_auto(GStrv) words = NULL;
        int r = fd < 0 ? fd : read_words(fd, VOLUME_FILE, 2, &words);

        if (r < 0)
                return r;
        *ret = (ThinVolume) { g_strdup(words[0]), g_strdup(words[1]) };
        return 0;
}

/* --- Devices ----------------------------------------------------------------------------- */

int thin_volume_split_name(const char *text, char **ret_group, char **ret_volume) {
        g_autoptr(GString) part = g_string_new(NULL);
        g_autofree char *group = NULL;

        for (const char *p = text; *p; p++) {
                if (*p != '-' || p[1] == '-') {
                        g_string_append_c(part, *p);
                        p += *p == '-';
                        continue;
                }
                if (group)
                        return -ENODEV;
                group = g_strdup(part->str);
                g_string_truncate(part, 0);
        }
        if (!group || !*group || part->len == 0)
                return -ENODEV;
        *ret_group = g_steal_pointer(&group);
        *ret_volume = g_strdup(part->str);
        return 0;
}

int thin_volume_identify(int fd, char **ret_group, char **ret_volume) {
        g_autofree char *path = NULL, *name = NULL;
        _cleanup_close_ int name_fd = -EBADF;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        path = g_strdup_printf("/sys/dev/block/%u:%u/dm/name", major(st.st_dev),
                               minor(st.st_dev));
        name_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (name_fd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        if (fd_read_text(name_fd, FILE_SIZE_MAX, &name) < 0)
                return -ENODEV;
        return thin_volume_split_name(g_strchomp(name), ret_group, ret_volume);
}

char *thin_volume_device(const char *group, const char *volume) {
        return g_strdup_printf("/dev/%s/%s", group, volume);
}

/* Volumes are not there before somebody asks for them after a start of the host. */
static int activate(const char *group, const char *volume, const char *device) {
        g_autofree char *name = g_strdup_printf("%s/%s", group, volume);
        const char *argv[] = {
                "lvchange", "--yes", "--activate", "y", "--ignoreactivationskip", "--monitor", "n",
                name, NULL,
        };
        g_auto(Error) error = ERROR_INIT;

        if (access(device, F_OK) >= 0)
                return 0;
        if (program_run(argv, -EBADF, &error) >= 0)
                return 0;
        log_warning("Cannot make the volume %s available: %s.", name, error.message);
        return -ENODEV;
}

/* --- Mounting ---------------------------------------------------------------------------- */

static int set_options(int context_fd, const char *filesystem, const char *options,
                       bool read_only) {
        g_auto(GStrv) words = g_strsplit(options, ",", -1);

        /* Nobody needs what was never written to be written with zeroes, which would take room. */
        if (g_str_equal(filesystem, "ext4") &&
            fsconfig(context_fd, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0)
                return -errno;
        /* Copies of a file system have its UUID. */
        if (g_str_equal(filesystem, "xfs") &&
            fsconfig(context_fd, FSCONFIG_SET_FLAG, "nouuid", NULL, 0) < 0)
                return -errno;
        if (read_only && fsconfig(context_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
                return -errno;
        for (char **word = words; *word; word++) {
                char *value = strchr(*word, '=');
                int r;

                if (!**word)
                        continue;
                if (value)
                        *value++ = '\0';
                r = fsconfig(context_fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, *word,
                             value, 0);
                if (r < 0)
                        return -errno;
        }
        return 0;
}

static int mount_device(const char *device, const char *filesystem, const char *options,
                        bool read_only) {
        _cleanup_close_ int context_fd = fsopen(filesystem, FSOPEN_CLOEXEC);
        int fd, r;

        if (context_fd < 0)
                return -errno;
        if (fsconfig(context_fd, FSCONFIG_SET_STRING, "source", device, 0) < 0)
                return -errno;
        r = set_options(context_fd, filesystem, options, read_only);
        if (r < 0)
                return r;
        if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context_fd, FSMOUNT_CLOEXEC,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
        return fd < 0 ? -errno : fd;
}

int thin_volume_mount(int dir_fd, const char *name, bool read_only) {
        g_autofree char *group = NULL, *tree = NULL, *device = NULL;
        g_auto(ThinVolume) volume = { 0 };
        g_auto(ThinPool) pool = { 0 };
        int r;

        r = thin_volume_read(dir_fd, name, &volume);
        if (r >= 0)
                r = thin_pool_read(dir_fd, &pool);
        if (r >= 0)
                r = thin_volume_identify(dir_fd, &group, &tree);
        if (r < 0)
                return r;
        device = thin_volume_device(group, volume.name);
        r = activate(group, volume.name, device);
        return r < 0 ? r : mount_device(device, volume.filesystem, pool.options, read_only);
}

int thin_volume_mount_again(int fd) {
        g_autofree char *group = NULL, *volume = NULL, *device = NULL;
        struct statvfs flags;
        struct statfs st;
        int r;

        r = thin_volume_identify(fd, &group, &volume);
        if (r < 0)
                return r;
        if (fstatfs(fd, &st) < 0 || fstatvfs(fd, &flags) < 0)
                return -errno;
        device = thin_volume_device(group, volume);
        /* What it was mounted with stays as it is. */
        return mount_device(device, st.f_type == XFS_SUPER_MAGIC ? "xfs" : "ext4", "",
                            flags.f_flag & ST_RDONLY);
}

static int is_shown(const char *path) {
        struct statx st;

        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &st) < 0)
                return -errno;
        return !!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* What is mounted from now on is seen by nobody else; what others unmount goes here too. */
static int leave_mounts(void) {
        static bool left;

        if (left)
                return 0;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return -errno;
        left = true;
        return 0;
}

int thin_volume_show(const char *path) {
        g_autofree char *directory = g_path_get_dirname(path), *name = g_path_get_basename(path);
        g_autofree char *group = NULL, *tree = NULL;
        _cleanup_close_ int dir_fd = -EBADF, mount_fd = -EBADF, target_fd = -EBADF;
        int r;

        dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir_fd < 0 || thin_volume_identify(dir_fd, &group, &tree) < 0 ||
            g_strcmp0(tree, THIN_TREE) != 0)
                return 0;
        r = is_shown(path);
        if (r != 0)
                return MIN(r, 0);
        mount_fd = thin_volume_mount(dir_fd, name, false);
        if (mount_fd < 0)
                return mount_fd;
        dir_fd = fd_close(dir_fd);
        r = leave_mounts();
        if (r < 0)
                return r;
        target_fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (target_fd < 0)
                return -errno;
        return move_mount(mount_fd, "", target_fd, "",
                          MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
                       ? -errno
                       : 0;
}
