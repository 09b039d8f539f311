/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/tree.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/storage/mount.h"
#include "tests/unit/storage-fixture.h"
#include "tests/unit/test.h"

#define BASE 1000000U

static const IdRange ids = { BASE, ID_RANGE_SIZE };
#define MIB (1U << 20)

typedef struct Acl {
        struct posix_acl_xattr_header header;
        struct posix_acl_xattr_entry entries[5];
} Acl;

/* u::rwx u:UID:r-x g::r-x m::r-x o::--- */
static Acl make_acl(uint32_t uid) {
        return (Acl) {
                .header.a_version = htole32(POSIX_ACL_XATTR_VERSION),
                .entries = {
                        { htole16(ACL_USER_OBJ), htole16(7), htole32(ACL_UNDEFINED_ID) },
                        { htole16(ACL_USER), htole16(5), htole32(uid) },
                        { htole16(ACL_GROUP_OBJ), htole16(5), htole32(ACL_UNDEFINED_ID) },
                        { htole16(ACL_MASK), htole16(5), htole32(ACL_UNDEFINED_ID) },
                        { htole16(ACL_OTHER), htole16(0), htole32(ACL_UNDEFINED_ID) },
                },
        };
}

static const struct vfs_cap_data net_raw = {
        .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
        .data[0].permitted = 1U << 13,
};

static int make_file(int dir_fd, const char *name, uid_t uid, gid_t gid, mode_t mode) {
        int fd = path_open_beneath(dir_fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fchown(fd, uid, gid), ==, 0);
        g_assert_cmpint(fchmod(fd, mode), ==, 0);
        return fd;
}

static void set_xattr(int fd, const char *name, const void *value, size_t size) {
        g_assert_cmpint(fsetxattr(fd, name, value, size, 0), ==, 0);
}

/* One of each. */
static void make_tree(int fd) {
        const struct timespec times[] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
        _cleanup_close_ int sub = path_make_dir(fd, "sub", 0750), file = -EBADF, acl = -EBADF;
        _cleanup_close_ int sparse = -EBADF, setuid = -EBADF, cap = -EBADF;
        Acl entries = make_acl(1000);

        file = make_file(fd, "file", 33, 44, 0640);
        g_assert_cmpint(fd_write_all(file, "content", 7), ==, 0);
        set_xattr(file, "user.note", "kept", 4);
        set_xattr(file, "trusted.note", "too", 3);
        g_assert_cmpint(linkat(fd, "file", sub, "again", 0), ==, 0);
        setuid = make_file(fd, "setuid", 0, 5, 06755);
        cap = make_file(fd, "cap", 0, 0, 0755);
        set_xattr(cap, "security.capability", &net_raw, sizeof(net_raw));
        acl = make_file(fd, "acl", 7, 8, 0750);
        set_xattr(acl, "system.posix_acl_access", &entries, sizeof(entries));
        set_xattr(sub, "system.posix_acl_default", &entries, sizeof(entries));
        g_assert_cmpint(fchown(sub, 9, 10), ==, 0);

        sparse = make_file(fd, "sparse", 0, 0, 0600);
        g_assert_cmpint(pwrite(sparse, "begin", 5, 0), ==, 5);
        g_assert_cmpint(pwrite(sparse, "middle", 6, 64 * MIB), ==, 6);
        g_assert_cmpint(ftruncate(sparse, 256 * MIB), ==, 0);

        g_assert_cmpint(symlinkat("/nowhere", fd, "link"), ==, 0);
        g_assert_cmpint(fchownat(fd, "link", 3, 4, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_assert_cmpint(mknodat(fd, "fifo", S_IFIFO | 0600, 0), ==, 0);
        g_assert_cmpint(mknodat(fd, "null", S_IFCHR | 0666, makedev(1, 3)), ==, 0);
        g_assert_cmpint(utimensat(fd, "link", times, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_assert_cmpint(futimens(file, times), ==, 0);
        g_assert_cmpint(futimens(sub, times), ==, 0);
        g_assert_cmpint(fchmod(fd, 0751), ==, 0);
        g_assert_cmpint(futimens(fd, times), ==, 0);
}

typedef struct Trees {
        StorageFixture *base;
        char *path; /* of the filesystem that both are in */
        int source;
        int target;
} Trees;

/* "overlay" cannot be mounted idmapped and shares no data between files. */
static Trees trees_new(const char *filesystem) {
        Trees t = { .base = storage_fixture_new(NULL) };
        _cleanup_close_ int fd = path_open_dir(t.base->directory);

        t.path = storage_fixture_path(t.base, "trees");
        g_assert_cmpint(mkdirat(fd, "trees", 0700), ==, 0);
        if (g_str_equal(filesystem, "overlay")) {
                g_autofree char *options = g_strdup_printf(
                        "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", t.base->directory,
                        t.base->directory, t.base->directory);

                g_assert_cmpint(mkdirat(fd, "lower", 0700), ==, 0);
                g_assert_cmpint(mkdirat(fd, "upper", 0700), ==, 0);
                g_assert_cmpint(mkdirat(fd, "work", 0700), ==, 0);
                g_assert_cmpint(mount("overlay", t.path, "overlay", 0, options), ==, 0);
        } else {
                g_autofree char *image = storage_fixture_path(t.base, "trees.img");
                g_autofree char *mkfs = g_strdup_printf("mkfs.%s", filesystem);
                const char *make[] = { mkfs, "-q", image, NULL };
                const char *mount_it[] = { "mount", "-o", "loop", image, t.path, NULL };
                _cleanup_close_ int image_fd = make_file(fd, "trees.img", 0, 0, 0600);

                g_assert_cmpint(ftruncate(image_fd, 512 * MIB), ==, 0);
                storage_fixture_program(make, NULL);
                storage_fixture_program(mount_it, NULL);
        }
        fd = fd_close(fd);
        fd = path_open_dir(t.path);
        t.source = path_make_dir(fd, "source", 0700);
        t.target = path_make_dir(fd, "target", 0700);
        g_assert_cmpint(t.source, >=, 0);
        g_assert_cmpint(t.target, >=, 0);
        return t;
}

static void trees_done(Trees *t) {
        (void) close(t->source);
        (void) close(t->target);
        g_assert_cmpint(umount(t->path), ==, 0);
        storage_fixture_free(t->base);
        g_free(t->path);
}

static const char *const filesystems[] = { "ext4", "btrfs", "overlay" };

#define FOR_EACH_FILESYSTEM(t) \
        for (size_t _i = 0; _i < ELEMENTSOF(filesystems); _i++) \
                for (Trees t = trees_new(filesystems[_i]); t.base; trees_done(&t), t.base = NULL)

static struct stat stat_of(int dir_fd, const char *name) {
        struct stat st;

        g_assert_cmpint(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), ==, 0);
        return st;
}

static void assert_xattr(int dir_fd, const char *name, const char *xattr, const void *value,
                         size_t size) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);
        char buffer[256];
        ssize_t n = fgetxattr(fd, xattr, buffer, sizeof(buffer));

        g_assert_cmpint(n, >=, 0);
        g_assert_cmpmem(buffer, (size_t) n, value, size);
}

static void assert_same_time(struct timespec a, struct timespec b) {
        g_assert_cmpint(a.tv_sec, ==, b.tv_sec);
        g_assert_cmpint(a.tv_nsec, ==, b.tv_nsec);
}

static void assert_copied(int source, int target) {
        static const char *const names[] = {
                "", "file", "setuid", "cap", "acl", "sparse", "link", "fifo", "null", "sub",
                "sub/again",
        };
        Acl acl = make_acl(1000);
        char link[32];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                struct stat a = stat_of(source, names[i]), b = stat_of(target, names[i]);

                g_assert_cmpuint(a.st_mode, ==, b.st_mode);
                g_assert_cmpuint(a.st_uid, ==, b.st_uid);
                g_assert_cmpuint(a.st_gid, ==, b.st_gid);
                g_assert_cmpuint(a.st_rdev, ==, b.st_rdev);
                g_assert_cmpuint(a.st_nlink, ==, b.st_nlink);
                assert_same_time(a.st_mtim, b.st_mtim);
                if (!S_ISDIR(a.st_mode))
                        g_assert_cmpint(a.st_size, ==, b.st_size);
        }
        g_assert_cmpuint(stat_of(target, "file").st_ino, ==, stat_of(target, "sub/again").st_ino);
        g_assert_cmpint(stat_of(target, "sparse").st_blocks, <, 2 * MIB / 512);
        g_assert_cmpint(readlinkat(target, "link", link, sizeof(link)), ==, 8);
        g_assert_cmpmem(link, 8, "/nowhere", 8);
        assert_xattr(target, "file", "user.note", "kept", 4);
        assert_xattr(target, "file", "trusted.note", "too", 3);
        assert_xattr(target, "cap", "security.capability", &net_raw, sizeof(net_raw));
        assert_xattr(target, "acl", "system.posix_acl_access", &acl, sizeof(acl));
        assert_xattr(target, "sub", "system.posix_acl_default", &acl, sizeof(acl));
}

static void assert_same_content(int source, int target, const char *name) {
        _cleanup_close_ int a = path_open_beneath(source, name, O_RDONLY, 0);
        _cleanup_close_ int b = path_open_beneath(target, name, O_RDONLY, 0);
        g_autoptr(GBytes) from = NULL, to = NULL;

        g_assert_cmpint(fd_read_all(a, 512 * MIB, &from), ==, 0);
        g_assert_cmpint(fd_read_all(b, 512 * MIB, &to), ==, 0);
        g_assert_true(g_bytes_equal(from, to));
}

TEST(a_copy_has_everything) {
        FOR_EACH_FILESYSTEM(t) {
                g_auto(Error) error = ERROR_INIT;

                make_tree(t.source);
                g_assert_cmpint(tree_copy(t.source, t.target, &error), ==, 0);
                assert_copied(t.source, t.target);
                assert_same_content(t.source, t.target, "file");
                assert_same_content(t.source, t.target, "sparse");
        }
}

TEST(a_copy_tells_what_is_in_the_way) {
        Trees t = trees_new("ext4");
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *inside = g_strdup_printf("%s/source/sub/mnt", t.path);
        _cleanup_close_ int sub = path_make_dir(t.source, "sub", 0700);

        g_assert_cmpint(mkdirat(sub, "mnt", 0700), ==, 0);
        g_assert_cmpint(mount("/etc", inside, NULL, MS_BIND, NULL), ==, 0);
        g_assert_cmpint(tree_copy(t.source, t.target, &error), ==, -EXDEV);
        g_assert_nonnull(strstr(error.message, "\"sub/mnt\""));
        g_assert_cmpint(umount(inside), ==, 0);
        sub = fd_close(sub);
        trees_done(&t);
}

TEST(a_copy_that_does_not_fit_says_so) {
        g_autoptr(StorageFixture) f = storage_fixture_new("size=16m");
        _cleanup_close_ int fd = path_open_dir(f->state_dir);
        _cleanup_close_ int source = path_make_dir(fd, "source", 0700);
        _cleanup_close_ int target = path_make_dir(fd, "target", 0700);
        _cleanup_close_ int file = make_file(source, "big", 0, 0, 0600);
        g_autofree char *block = g_strnfill(10 * MIB, 'x');
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(fd_write_all(file, block, 10 * MIB), ==, 0);
        g_assert_cmpint(tree_copy(source, target, &error), ==, -ENOSPC);
        g_assert_cmpint(error.code, ==, ERROR_NO_SPACE);
        g_assert_nonnull(strstr(error.message, "\"big\""));
        fd = fd_close(fd);
        source = fd_close(source);
        target = fd_close(target);
        file = fd_close(file);
}

TEST(a_bottomless_tree_is_not_copied) {
        Trees t = trees_new("ext4");
        g_autoptr(IdMap) map = idmap_new_range(ids);
        g_auto(Error) error = ERROR_INIT;
        _cleanup_close_ int fd = dup(t.source);

        for (int i = 0; i < TREE_DEPTH_MAX + 1; i++) {
                int child = path_make_dir(fd, "d", 0700);

                (void) close(fd);
                fd = child;
        }
        g_assert_cmpint(tree_copy(t.source, t.target, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_SUPPORTED);
        error_clear(&error);
        g_assert_cmpint(tree_shift(t.source, map, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NOT_SUPPORTED);
        fd = fd_close(fd);
        trees_done(&t);
}

static void assert_shifted(int fd) {
        const struct {
                const char *name;
                uid_t uid;
                gid_t gid;
                mode_t mode;
        } files[] = {
                { "", 0, 0, S_IFDIR | 0751 },
                { "file", 33, 44, S_IFREG | 0640 },
                { "sub/again", 33, 44, S_IFREG | 0640 },
                { "setuid", 0, 5, S_IFREG | 06755 },
                { "cap", 0, 0, S_IFREG | 0755 },
                { "acl", 7, 8, S_IFREG | 0750 },
                { "link", 3, 4, S_IFLNK | 0777 },
                { "fifo", 0, 0, S_IFIFO | 0600 },
                { "sub", 9, 10, S_IFDIR | 0750 },
        };
        struct vfs_ns_cap_data cap = {
                .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
                .data[0].permitted = 1U << 13,
                .rootid = BASE,
        };
        Acl acl = make_acl(BASE + 1000);

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                struct stat st = stat_of(fd, files[i].name);

                g_assert_cmpuint(st.st_uid, ==, BASE + files[i].uid);
                g_assert_cmpuint(st.st_gid, ==, BASE + files[i].gid);
                g_assert_cmpuint(st.st_mode, ==, files[i].mode);
        }
        g_assert_cmpint(stat_of(fd, "file").st_mtim.tv_sec, ==, 1100000000);
        assert_xattr(fd, "cap", "security.capability", &cap, sizeof(cap));
        assert_xattr(fd, "acl", "system.posix_acl_access", &acl, sizeof(acl));
        assert_xattr(fd, "sub", "system.posix_acl_default", &acl, sizeof(acl));
}

TEST(shifting_keeps_all_but_the_owners) {
        FOR_EACH_FILESYSTEM(t) {
                g_autoptr(IdMap) map = idmap_new_range(ids);
                g_auto(Error) error = ERROR_INIT;

                make_tree(t.source);
                g_assert_cmpint(tree_shift(t.source, map, &error), ==, 0);
                assert_shifted(t.source);
        }
}

TEST(shifting_refuses_what_it_cannot_map) {
        Trees t = trees_new("ext4");
        g_autoptr(IdMap) map = idmap_new_range(ids);
        g_auto(Error) error = ERROR_INIT;

        (void) close(make_file(t.source, "far", 65536, 0, 0600));
        g_assert_cmpint(tree_shift(t.source, map, &error), ==, -EOVERFLOW);
        g_assert_nonnull(strstr(error.message, "\"far\""));
        trees_done(&t);
}

/* A hole may lead to a number that means another one inside: no file is shifted twice. */
TEST(shifting_knows_what_is_done) {
        Trees t = trees_new("ext4");
        g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(IdRange));
        g_autoptr(IdMap) map = idmap_new_range(ids);
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(idmap_punch(map, "both 33 5", none, &error), ==, 0);
        (void) close(make_file(t.source, "hole", 5, 5, 0600));
        (void) close(make_file(t.source, "same", 33, 33, 0600));
        for (int i = 0; i < 20; i++) {
                g_autofree char *name = g_strdup_printf("again%d", i);

                g_assert_cmpint(linkat(t.source, "hole", t.source, name, 0), ==, 0);
        }
        g_assert_cmpint(tree_shift(t.source, map, &error), ==, 0);
        g_assert_cmpuint(stat_of(t.source, "hole").st_uid, ==, 33);
        g_assert_cmpuint(stat_of(t.source, "same").st_uid, ==, BASE + 33);
        trees_done(&t);
}

TEST(nothing_is_shifted_for_a_privileged_one) {
        Trees t = trees_new("ext4");
        g_autoptr(IdMap) map = idmap_new();
        g_auto(Error) error = ERROR_INIT;

        (void) close(make_file(t.source, "file", 70000, 5, 0600));
        g_assert_cmpint(tree_shift(t.source, map, &error), ==, 0);
        g_assert_cmpuint(stat_of(t.source, "file").st_uid, ==, 70000);
        trees_done(&t);
}

TEST(idmapped_mounts_are_tried) {
        for (size_t i = 0; i < ELEMENTSOF(filesystems); i++) {
                Trees t = trees_new(filesystems[i]);

                g_assert_cmpint(mount_can_idmap(t.source), ==,
                                !g_str_equal(filesystems[i], "overlay"));
                trees_done(&t);
        }
}

/* Where ids cannot be mapped by the mount, containers are made with theirs on disk. */
TEST(a_container_is_shifted_where_it_must_be) {
        Trees t = trees_new("overlay");
        g_autofree char *source = g_strdup_printf("%s/pool", t.path);
        g_autofree char *container = g_strdup_printf("%s/containers/c", source);
        g_autoptr(WorkerClient) pool = NULL, created = NULL, deleted = NULL, refused = NULL;
        _cleanup_close_ int fd = -EBADF;
        g_auto(Error) error = ERROR_INIT;
        gboolean idmapped = TRUE;
        g_autoptr(Pool) opened = NULL;

        g_assert_cmpint(mkdir(source, 0700), ==, 0);
        pool = storage_fixture_run(t.base, OPERATION_POOL_CREATE, "p", "dir", source, 0);
        worker_client_assert_result(pool);
        opened = storage_fixture_open_pool(t.base, "p", "dir");
        g_assert_cmpint(volume_begin(opened, VOLUME_IMAGE, "i", &fd, &error), ==, 0);
        make_tree(fd);
        fd = fd_close(fd);
        g_assert_cmpint(volume_commit(opened, VOLUME_IMAGE, "i", &error), ==, 0);
        opened = pool_free(opened);

        refused = storage_fixture_run_volume(t.base, OPERATION_CONTAINER_CREATE, "p", "dir",
                                             "image", "i", "container", "c", "forbid-shift", "",
                                             NULL);
        worker_client_assert_error(refused, ERROR_NOT_SUPPORTED, "security.protection.shift");
        created = storage_fixture_run_volume(t.base, OPERATION_CONTAINER_CREATE, "p", "dir",
                                             "image", "i", "container", "c", NULL);
        worker_client_assert_result(created);
        g_assert_true(g_variant_lookup(created->result, "idmapped", "b", &idmapped));
        g_assert_false(idmapped);
        fd = path_open_dir(container);
        assert_shifted(fd);
        fd = fd_close(fd);
        deleted = storage_fixture_run(t.base, OPERATION_POOL_DELETE, "p", "dir", source, 0);
        worker_client_assert_result(deleted);
        trees_done(&t);
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
