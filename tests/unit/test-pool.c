/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "tests/unit/storage-fixture.h"
#include "tests/unit/test.h"

#define MIB (UINT64_C(1) << 20)

static const char *const drivers[] = { "btrfs", "dir" };

static uint64_t loop_size(const char *driver) {
        return g_str_equal(driver, "btrfs") ? 256 * MIB : 0;
}

static void assert_mount_flags(const char *path) {
        struct statvfs st;

        g_assert_cmpint(statvfs(path, &st), ==, 0);
        g_assert_cmpuint(st.f_flag & (ST_NOSUID | ST_NODEV), ==, ST_NOSUID | ST_NODEV);
}

static unsigned count_mounts(const char *path) {
        g_autofree char *mounts = storage_fixture_mounts();
        /* Behind the mount point come the options, behind the directory in its filesystem not. */
        g_autofree char *wanted = g_strdup_printf(" %s rw,", path);
        unsigned n = 0;

        for (const char *p = mounts; (p = strstr(p, wanted)); p++)
                n++;
        return n;
}

static void assert_nothing_left(StorageFixture *f) {
        static const char *const names[] = { "mounts", "disks" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", f->state_dir, names[i]);
                g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

                if (dir)
                        g_assert_cmpstr(g_dir_read_name(dir), ==, NULL);
        }
        g_assert_cmpuint(storage_fixture_count_loops(f), ==, 0);
}

static void mount_pool(StorageFixture *f, const char *pool, const char *driver,
                       const char *source) {
        g_autoptr(WorkerClient) client =
                storage_fixture_run(f, OPERATION_POOL_MOUNT, pool, driver, source, 0);

        worker_client_assert_result(client);
}

static void assert_mount_fails(StorageFixture *f, const char *driver, const char *source,
                               const char *text) {
        g_autofree char *path = storage_fixture_pool_path(f, "p");
        unsigned n = count_mounts(path);
        g_autoptr(WorkerClient) client =
                storage_fixture_run(f, OPERATION_POOL_MOUNT, "p", driver, source, 0);

        worker_client_assert_error(client, ERROR_BACKEND_FAILED, text);
        g_assert_cmpuint(count_mounts(path), ==, n);
}

/* A pool that was never whole may be in a directory that was never taken, because it was full. */
TEST(what_was_not_taken_is_not_deleted) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *source = storage_fixture_path(f, "given");
        g_autofree char *theirs = g_build_filename(source, "images", "photo", NULL);
        g_autofree char *made = g_build_filename(source, "custom", NULL);
        g_autoptr(WorkerClient) deleted = NULL;
        GVariantDict args;

        g_assert_cmpint(g_mkdir_with_parents(theirs, 0755), ==, 0);
        g_assert_cmpint(mkdir(made, 0700), ==, 0);
        g_variant_dict_init(&args, storage_fixture_pool_args(f, "p", "dir", source, 0));
        g_variant_dict_insert(&args, "incomplete", "b", TRUE);
        deleted = worker_client_start(WORKER_STORAGE, OPERATION_POOL_DELETE,
                                      g_variant_dict_end(&args), NULL, 0);
        worker_client_finish(deleted);
        worker_client_assert_result(deleted);
        g_assert_true(g_file_test(theirs, G_FILE_TEST_IS_DIR));
        g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
        assert_nothing_left(f);
}

TEST(a_pool_of_our_own_lives_and_dies) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
                g_autofree char *path = storage_fixture_pool_path(f, "p");
                g_autoptr(WorkerClient) created = NULL, again = NULL;
                const char *source;
                uint64_t size;

                created = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", drivers[i], "",
                                              loop_size(drivers[i]));
                worker_client_assert_result(created);
                g_assert_true(g_variant_lookup(created->result, "source", "&s", &source));
                g_assert_true(g_variant_lookup(created->result, "size", "t", &size));
                g_assert_cmpuint(size, ==, loop_size(drivers[i]));
                g_assert_cmpuint(count_mounts(path), ==, 1);
                assert_mount_flags(path);

                again = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", drivers[i], "", 0);
                worker_client_assert_error(again, ERROR_EXISTS, "there already");

                mount_pool(f, "p", drivers[i], source);
                g_assert_cmpuint(count_mounts(path), ==, 1);
                g_assert_cmpint(umount(path), ==, 0);
                g_assert_cmpuint(storage_fixture_count_loops(f), ==, 0);
                mount_pool(f, "p", drivers[i], source);
                mount_pool(f, "p", drivers[i], source);
                g_assert_cmpuint(count_mounts(path), ==, 1);
                assert_mount_flags(path);

                storage_fixture_delete_pool(f, "p", drivers[i]);
                assert_nothing_left(f);
                storage_fixture_delete_pool(f, "p", drivers[i]);
        }
}

TEST(a_loop_file_is_roots_alone_and_sparse) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *image = g_strdup_printf("%s/disks/p.img", f->state_dir);
        struct stat st;

        storage_fixture_create_pool(f, "p", "btrfs");
        g_assert_cmpint(stat(image, &st), ==, 0);
        g_assert_cmpint(st.st_mode, ==, S_IFREG | 0600);
        g_assert_cmpint(st.st_size, ==, 256 * MIB);
        g_assert_cmpint(st.st_blocks * 512, <, 32 * MIB);
        g_assert_cmpuint(storage_fixture_count_loops(f), ==, 1);
        storage_fixture_delete_pool(f, "p", "btrfs");
}

/* As after a restart in a mount namespace without the mount, which somebody else holds. */
TEST(a_loop_device_in_use_is_taken_again) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *path = storage_fixture_pool_path(f, "p");
        g_autofree char *holder = storage_fixture_path(f, "holder");

        storage_fixture_create_pool(f, "p", "btrfs");
        g_assert_cmpint(mkdir(holder, 0700), ==, 0);
        g_assert_cmpint(mount(path, holder, NULL, MS_BIND, NULL), ==, 0);
        g_assert_cmpint(umount(path), ==, 0);
        g_assert_cmpuint(storage_fixture_count_loops(f), ==, 1);
        mount_pool(f, "p", "btrfs", "");
        g_assert_cmpuint(storage_fixture_count_loops(f), ==, 1);
        g_assert_cmpint(umount(holder), ==, 0);
        storage_fixture_delete_pool(f, "p", "btrfs");
}

TEST(an_empty_directory_becomes_a_pool) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *host = storage_fixture_path(f, "host");
        g_autofree char *host_image = storage_fixture_path(f, "host.img");
        const char *mkfs[] = { "mkfs.btrfs", "--quiet", host_image, NULL };
        const char *mount_host[] = { "mount", "-o", "loop", host_image, host, NULL };
        _cleanup_close_ int image_fd = open(host_image, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        g_assert_cmpint(ftruncate(image_fd, 256 * MIB), ==, 0);
        g_assert_cmpint(mkdir(host, 0755), ==, 0);
        storage_fixture_program(mkfs, NULL);
        storage_fixture_program(mount_host, NULL);

        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autofree char *source = g_strdup_printf("%s/%s", host, drivers[i]);
                g_autofree char *path = storage_fixture_pool_path(f, "p");
                g_autofree char *other = g_strdup_printf("%s/other", source);
                g_autoptr(WorkerClient) client = NULL, deleted = NULL;

                g_assert_cmpint(mkdir(source, 0755), ==, 0);
                client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", drivers[i], source, 0);
                worker_client_assert_result(client);
                assert_mount_flags(path);
                g_assert_cmpint(umount(path), ==, 0);
                mount_pool(f, "p", drivers[i], source);
                mount_pool(f, "p", drivers[i], source);
                g_assert_cmpuint(count_mounts(path), ==, 1);

                /* What is not the pool's stays. */
                g_assert_cmpint(mkdir(other, 0700), ==, 0);
                deleted = storage_fixture_run(f, OPERATION_POOL_DELETE, "p", drivers[i], source, 0);
                worker_client_assert_result(deleted);
                g_assert_cmpint(rmdir(other), ==, 0);
                g_assert_cmpint(rmdir(source), ==, 0);
                assert_nothing_left(f);
        }
        g_assert_cmpint(umount(host), ==, 0);
        g_assert_cmpint(unlink(host_image), ==, 0);
}

TEST(a_source_that_will_not_do_is_refused) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *inside = g_strdup_printf("%s/inside", f->state_dir);
        const struct {
                const char *driver;
                const char *source; /* absolute, or a name in the fixture's directory */
                const char *text;
        } cases[] = {
                { "dir", "relative", "not an absolute path" },
                { "dir", "/var/tmp/../tmp", "not an absolute path" },
                { "dir", "/var/tmp/", "not an absolute path" },
                { "dir", "/", "not an absolute path" },
                { "dir", "@missing", "does not exist" },
                { "dir", "@file", "not a directory" },
                { "dir", "@link", "symbolic link" },
                { "dir", "@through/sub", "symbolic link" },
                { "dir", "@full", "not empty" },
                { "btrfs", "@plain", "not on a btrfs" },
                { "dir", "@others", "belong to root" },
                { "dir", "@writable", "nobody else may write" },
                { "dir", inside, "inside the service's own directory" },
                { "dir", f->state_dir, "inside the service's own directory" },
        };
        _cleanup_close_ int fd = path_open_dir(f->directory);

        g_assert_cmpint(mkdir(inside, 0700), ==, 0);
        g_assert_cmpint(path_replace_file(fd, "file", "", 0, 0600), ==, 0);
        g_assert_cmpint(mkdirat(fd, "plain", 0700), ==, 0);
        g_assert_cmpint(mkdirat(fd, "full", 0700), ==, 0);
        g_assert_cmpint(mkdirat(fd, "full/sub", 0700), ==, 0);
        g_assert_cmpint(mkdirat(fd, "others", 0700), ==, 0);
        g_assert_cmpint(fchownat(fd, "others", 1, 1, 0), ==, 0);
        g_assert_cmpint(mkdirat(fd, "writable", 0700), ==, 0);
        g_assert_cmpint(fchmodat(fd, "writable", 0777, 0), ==, 0);
        g_assert_cmpint(symlinkat("plain", fd, "link"), ==, 0);
        g_assert_cmpint(symlinkat("full", fd, "through"), ==, 0);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *source =
                        cases[i].source[0] == '@' ? storage_fixture_path(f, cases[i].source + 1)
                                                  : g_strdup(cases[i].source);
                g_autoptr(WorkerClient) client = storage_fixture_run(
                        f, OPERATION_POOL_CREATE, "p", cases[i].driver, source, 0);

                worker_client_assert_error(client, ERROR_INVALID_CONFIG, cases[i].text);
                assert_nothing_left(f);
        }
}

TEST(arguments_are_checked) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        static const char *const names[] = { "", ".", "..", ".hidden", "a/b", "../x", "a b" };
        g_autoptr(WorkerClient) driver =
                storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "zfs", "", 0);
        g_autoptr(WorkerClient) small =
                storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "btrfs", "", 255 * MIB);
        g_autoptr(WorkerClient) large =
                storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "btrfs", "", UINT64_C(1) << 60);

        worker_client_assert_error(driver, ERROR_INVALID_CONFIG, "unknown driver");
        worker_client_assert_error(small, ERROR_INVALID_CONFIG, "at least 256 MiB");
        worker_client_assert_error(large, ERROR_NO_SPACE, "no room");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autoptr(WorkerClient) client =
                        storage_fixture_run(f, OPERATION_POOL_CREATE, names[i], "dir", "", 0);

                worker_client_assert_error(client, ERROR_INVALID_NAME, "not valid");
        }
        assert_nothing_left(f);
}

/* --- Undo -------------------------------------------------------------------------------- */

/* Puts another program in the place of mkfs.btrfs, in this mount namespace. */
static void replace_mkfs(const char *by) {
        g_assert_cmpint(mount(by, "/usr/sbin/mkfs.btrfs", NULL, MS_BIND, NULL), ==, 0);
}

/* Even while the other one still runs. */
static void restore_mkfs(void) {
        g_assert_cmpint(umount2("/usr/sbin/mkfs.btrfs", MNT_DETACH), ==, 0);
}

TEST(a_failed_mkfs_leaves_nothing) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *script = storage_fixture_path(f, "mkfs");
        g_autoptr(WorkerClient) client = NULL;

        g_assert_true(g_file_set_contents_full(script, "#!/bin/sh\necho one\necho ERROR: no luck\n"
                                               "exit 1\n", -1, 0, 0755, NULL));
        replace_mkfs(script);
        client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "btrfs", "", 256 * MIB);
        restore_mkfs();
        worker_client_assert_error(client, ERROR_BACKEND_FAILED, "mkfs.btrfs failed: no luck");
        assert_nothing_left(f);
}

TEST(a_failed_mount_leaves_nothing) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autoptr(WorkerClient) client = NULL;

        replace_mkfs("/bin/true"); /* and so there is no filesystem to mount */
        client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "btrfs", "", 256 * MIB);
        restore_mkfs();
        worker_client_assert_error(client, ERROR_BACKEND_FAILED, "Cannot mount");
        assert_nothing_left(f);
}

TEST(a_file_that_cannot_grow_leaves_nothing) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        const struct rlimit low = { .rlim_cur = 16 * MIB, .rlim_max = RLIM_INFINITY };
        struct rlimit old;
        g_autoptr(WorkerClient) client = NULL;

        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
        (void) signal(SIGXFSZ, SIG_IGN);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &low), ==, 0);
        client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "btrfs", "", 256 * MIB);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
        worker_client_assert_error(client, ERROR_FAILED, "Cannot fill the loop file");
        assert_nothing_left(f);
}

/* Its filesystem takes two of the pool's four directories. */
TEST(a_source_that_fills_up_is_given_back) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *source = storage_fixture_path(f, "source");
        g_autoptr(WorkerClient) client = NULL;
        struct stat st;

        g_assert_cmpint(mkdir(source, 0755), ==, 0);
        g_assert_cmpint(mount("tmpfs", source, "tmpfs", 0, "nr_inodes=3,mode=0751"), ==, 0);
        client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "dir", source, 0);
        worker_client_assert_error(client, ERROR_NO_SPACE, "snapshots");
        assert_nothing_left(f);
        g_assert_cmpint(stat(source, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0751);
        g_assert_cmpint(st.st_nlink, ==, 2);
        g_assert_cmpint(umount(source), ==, 0);
}

/* Starts creating a pool and waits until mkfs.btrfs, which never ends here, is running: the script
 * then opens the FIFO. */
static WorkerClient *start_endless(StorageFixture *f) {
        g_autofree char *fifo = storage_fixture_path(f, "running");
        g_autofree char *script = storage_fixture_path(f, "mkfs");
        g_autofree char *text =
                g_strdup_printf("#!/bin/sh\n: > %s\nexec sleep infinity\n", fifo);
        _cleanup_close_ int fd = -EBADF;
        WorkerClient *client;

        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        g_assert_true(g_file_set_contents_full(script, text, -1, 0, 0755, NULL));
        replace_mkfs(script);
        client = worker_client_start(WORKER_STORAGE, OPERATION_POOL_CREATE,
                                     storage_fixture_pool_args(f, "p", "btrfs", "", 256 * MIB),
                                     NULL, 0);
        fd = open(fifo, O_RDONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        restore_mkfs();
        return client;
}

TEST(a_cancelled_creation_leaves_nothing) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autoptr(WorkerClient) client = start_endless(f);

        worker_client_cancel(client);
        worker_client_finish(client);
        worker_client_assert_error(client, ERROR_CANCELLED, "cancelled");
        assert_nothing_left(f);
}

TEST(what_a_killed_creation_left_can_be_deleted) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autoptr(WorkerClient) client = start_endless(f);

        g_clear_pointer(&client, worker_client_free);
        storage_fixture_delete_pool(f, "p", "btrfs");
        assert_nothing_left(f);
}

/* --- What is not as it was --------------------------------------------------------------- */

TEST(a_pool_in_use_is_not_deleted) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
                g_autofree char *path = g_strdup_printf("%s/mounts/p/containers", f->state_dir);
                g_autoptr(WorkerClient) client = NULL;
                int fd;

                storage_fixture_create_pool(f, "p", drivers[i]);
                fd = path_open_dir(path);
                client = storage_fixture_run(f, OPERATION_POOL_DELETE, "p", drivers[i], "", 0);
                worker_client_assert_error(client, ERROR_IN_USE, "a process on the host");
                g_assert_cmpint(access(path, F_OK), ==, 0);
                (void) close(fd);
                storage_fixture_delete_pool(f, "p", drivers[i]);
        }
}

TEST(a_source_without_a_pool_is_not_mounted) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *source = storage_fixture_path(f, "source");
        g_autofree char *old = storage_fixture_path(f, "old");
        g_autofree char *path = storage_fixture_pool_path(f, "p");
        g_autoptr(WorkerClient) client = NULL, deleted = NULL;

        g_assert_cmpint(mkdir(source, 0700), ==, 0);
        client = storage_fixture_run(f, OPERATION_POOL_CREATE, "p", "dir", source, 0);
        worker_client_assert_result(client);
        g_assert_cmpint(rename(source, old), ==, 0);
        g_assert_cmpint(mkdir(source, 0700), ==, 0);
        assert_mount_fails(f, "dir", source, "Something else");
        g_assert_cmpint(umount(path), ==, 0);
        assert_mount_fails(f, "dir", source, "There is no pool");

        g_assert_cmpint(rmdir(source), ==, 0);
        g_assert_cmpint(rename(old, source), ==, 0);
        mount_pool(f, "p", "dir", source);
        deleted = storage_fixture_run(f, OPERATION_POOL_DELETE, "p", "dir", source, 0);
        worker_client_assert_result(deleted);
        assert_nothing_left(f);
}

TEST(a_loop_file_that_became_a_link_is_not_mounted) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *image = g_strdup_printf("%s/disks/p.img", f->state_dir);
        g_autofree char *moved = g_strdup_printf("%s/disks/q.img", f->state_dir);
        g_autofree char *path = storage_fixture_pool_path(f, "p");
        g_autoptr(WorkerClient) client = NULL;

        storage_fixture_create_pool(f, "p", "btrfs");
        g_assert_cmpint(umount(path), ==, 0);
        g_assert_cmpint(rename(image, moved), ==, 0);
        g_assert_cmpint(symlink(moved, image), ==, 0);
        client = storage_fixture_run(f, OPERATION_POOL_MOUNT, "p", "btrfs", "", 0);
        worker_client_assert_error(client, ERROR_FAILED, "Cannot open the loop file");
        storage_fixture_delete_pool(f, "p", "btrfs");
        g_assert_cmpint(access(moved, F_OK), ==, 0);
        g_assert_cmpint(unlink(moved), ==, 0);
        assert_nothing_left(f);
}

TEST(mounting_sweeps_what_is_unfinished) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
                g_autoptr(Pool) pool = NULL;
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *path =
                        g_strdup_printf("%s/mounts/p/images/.one.new", f->state_dir);
                int fd;

                storage_fixture_create_pool(f, "p", drivers[i]);
                pool = storage_fixture_open_pool(f, "p", drivers[i]);
                g_assert_cmpint(volume_begin(pool, VOLUME_IMAGE, "one", &fd, &error), ==, 0);
                (void) close(fd);
                g_assert_cmpint(volume_begin(pool, VOLUME_SNAPSHOT, "c/s", &fd, &error), ==, 0);
                (void) close(fd);

                mount_pool(f, "p", drivers[i], "");
                g_assert_cmpint(access(path, F_OK), ==, 0); /* somebody works on it */
                g_clear_pointer(&pool, pool_free);
                mount_pool(f, "p", drivers[i], "");
                g_assert_cmpint(access(path, F_OK), ==, -1);
                storage_fixture_delete_pool(f, "p", drivers[i]);
        }
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
