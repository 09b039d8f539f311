/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <btrfsutil.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/storage/mount.h"
#include "service/worker/storage/subvolume.h"
#include "tests/unit/storage-fixture.h"
#include "tests/unit/test.h"

/* A pool "p" of a driver, open in this process. */
typedef struct PoolFixture {
        StorageFixture *base;
        const char *driver;
        Pool *pool;
        char *path;
} PoolFixture;

static const char *const drivers[] = { "btrfs", "dir" };

static PoolFixture pool_fixture_new(const char *driver) {
        PoolFixture f = { .base = storage_fixture_new(NULL), .driver = driver };

        storage_fixture_create_pool(f.base, "p", driver);
        f.path = storage_fixture_pool_path(f.base, "p");
        f.pool = storage_fixture_open_pool(f.base, "p", driver);
        return f;
}

static void pool_fixture_done(PoolFixture *f) {
        f->pool = pool_free(f->pool);
        storage_fixture_delete_pool(f->base, "p", f->driver);
        storage_fixture_free(f->base);
        g_free(f->path);
}

/* Runs BODY for each driver with PoolFixture f. */
#define FOR_EACH_DRIVER(f) \
        for (size_t _i = 0; _i < ELEMENTSOF(drivers); _i++) \
                for (PoolFixture f = pool_fixture_new(drivers[_i]); f.base; \
                     pool_fixture_done(&f), f.base = NULL)

static void assert_ok(int r, Error *error) {
        g_assert_cmpstr(error->message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
}

static void assert_fails(int r, Error *error, ErrorCode code) {
        g_assert_cmpint(r, <, 0);
        g_assert_nonnull(error->message);
        g_assert_cmpstr(error_code_to_name(error->code), ==, error_code_to_name(code));
        error_clear(error);
}

static void write_file(int dir_fd, const char *name, const char *text) {
        g_assert_cmpint(path_replace_file(dir_fd, name, text, strlen(text), 0644), ==, 0);
}

static void assert_file(int dir_fd, const char *name, const char *text) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);
        g_autoptr(GBytes) bytes = NULL;

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fd_read_all(fd, 4096, &bytes), ==, 0);
        g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

/* A volume with one file, "file", that says `text`. */
static void make_volume(PoolFixture *f, VolumeKind kind, const char *name, const char *text) {
        g_auto(Error) error = ERROR_INIT;
        _cleanup_close_ int fd = -EBADF;

        assert_ok(volume_begin(f->pool, kind, name, &fd, &error), &error);
        write_file(fd, "file", text);
        assert_ok(volume_commit(f->pool, kind, name, &error), &error);
}

static int open_volume(PoolFixture *f, VolumeKind kind, const char *name) {
        g_auto(Error) error = ERROR_INIT;
        int fd = -EBADF;

        assert_ok(volume_open(f->pool, kind, name, &fd, &error), &error);
        return fd;
}

static void assert_no_volume(PoolFixture *f, VolumeKind kind, const char *name) {
        g_auto(Error) error = ERROR_INIT;
        int fd;

        assert_fails(volume_open(f->pool, kind, name, &fd, &error), &error, ERROR_NO_SUCH_VOLUME);
}

static void assert_volume(PoolFixture *f, VolumeKind kind, const char *name, const char *text) {
        _cleanup_close_ int fd = open_volume(f, kind, name);

        assert_file(fd, "file", text);
}

/* Number of entries, dots not counted. */
static unsigned count_entries(PoolFixture *f, const char *directory) {
        g_autofree char *path = g_strdup_printf("%s/%s", f->path, directory);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        g_assert_nonnull(dir);
        while (g_dir_read_name(dir))
                n++;
        return n;
}

TEST(a_volume_is_there_once_committed) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;
                _cleanup_close_ int fd = -EBADF, again = -EBADF;

                assert_ok(volume_begin(f.pool, VOLUME_IMAGE, "one", &fd, &error), &error);
                write_file(fd, "old", "");
                assert_no_volume(&f, VOLUME_IMAGE, "one");
                assert_ok(volume_begin(f.pool, VOLUME_IMAGE, "one", &again, &error), &error);
                g_assert_cmpint(faccessat(again, "old", F_OK, 0), ==, -1);
                write_file(again, "file", "x");
                assert_ok(volume_commit(f.pool, VOLUME_IMAGE, "one", &error), &error);
                assert_volume(&f, VOLUME_IMAGE, "one", "x");
                assert_fails(volume_commit(f.pool, VOLUME_IMAGE, "one", &error), &error,
                             ERROR_FAILED);
                fd = fd_close(fd);

                assert_ok(volume_begin(f.pool, VOLUME_IMAGE, "one", &fd, &error), &error);
                assert_fails(volume_commit(f.pool, VOLUME_IMAGE, "one", &error), &error,
                             ERROR_EXISTS);
                assert_volume(&f, VOLUME_IMAGE, "one", "x");
                assert_ok(volume_abort(f.pool, VOLUME_IMAGE, "one", &error), &error);
                assert_ok(volume_abort(f.pool, VOLUME_IMAGE, "one", &error), &error);
                g_assert_cmpuint(count_entries(&f, "images"), ==, 1);
        }
}

TEST(a_copy_is_independent) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;
                _cleanup_close_ int fd = -EBADF;

                make_volume(&f, VOLUME_IMAGE, "i", "image");
                assert_ok(volume_clone(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "c", &error),
                          &error);
                fd = open_volume(&f, VOLUME_CONTAINER, "c");
                assert_file(fd, "file", "image");
                write_file(fd, "file", "container");
                assert_volume(&f, VOLUME_IMAGE, "i", "image");

                assert_fails(volume_clone(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "c", &error),
                             &error, ERROR_EXISTS);
                assert_volume(&f, VOLUME_CONTAINER, "c", "container");
                assert_fails(volume_clone(f.pool, VOLUME_IMAGE, "j", VOLUME_CONTAINER, "d", &error),
                             &error, ERROR_NO_SUCH_VOLUME);
                g_assert_cmpuint(count_entries(&f, "containers"), ==, 1);
        }
}

TEST(a_copy_replaces_an_unfinished_one) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;
                _cleanup_close_ int fd = -EBADF, copy_fd = -EBADF;

                make_volume(&f, VOLUME_IMAGE, "i", "image");
                assert_ok(volume_begin(f.pool, VOLUME_CONTAINER, "c", &fd, &error), &error);
                write_file(fd, "left", "");
                assert_ok(volume_clone_begin(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "c",
                                             &copy_fd, &error), &error);
                g_assert_cmpint(faccessat(copy_fd, "left", F_OK, 0), ==, -1);
                assert_no_volume(&f, VOLUME_CONTAINER, "c");
                assert_ok(volume_clone(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "c", &error),
                          &error);
                assert_volume(&f, VOLUME_CONTAINER, "c", "image");
                g_assert_cmpuint(count_entries(&f, "containers"), ==, 1);
        }
}

TEST(snapshots_live_below_their_container) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;

                make_volume(&f, VOLUME_CONTAINER, "c", "one");
                assert_no_volume(&f, VOLUME_SNAPSHOT, "c/s");
                assert_ok(volume_delete(f.pool, VOLUME_SNAPSHOT, "c/s", &error), &error);
                assert_ok(volume_clone(f.pool, VOLUME_CONTAINER, "c", VOLUME_SNAPSHOT, "c/s",
                                       &error), &error);
                assert_ok(volume_clone(f.pool, VOLUME_SNAPSHOT, "c/s", VOLUME_CONTAINER, "d",
                                       &error), &error);
                assert_volume(&f, VOLUME_CONTAINER, "d", "one");
                assert_ok(volume_rename(f.pool, VOLUME_SNAPSHOT, "c/s", "c/t", &error), &error);
                assert_volume(&f, VOLUME_SNAPSHOT, "c/t", "one");
                assert_ok(volume_delete(f.pool, VOLUME_SNAPSHOT, "c/t", &error), &error);
                g_assert_cmpuint(count_entries(&f, "snapshots"), ==, 0);
        }
}

TEST(renaming_can_be_repeated) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;

                make_volume(&f, VOLUME_CONTAINER, "a", "a");
                make_volume(&f, VOLUME_CONTAINER, "b", "b");
                assert_fails(volume_rename(f.pool, VOLUME_CONTAINER, "a", "b", &error), &error,
                             ERROR_EXISTS);
                assert_volume(&f, VOLUME_CONTAINER, "b", "b");
                assert_ok(volume_rename(f.pool, VOLUME_CONTAINER, "a", "c", &error), &error);
                assert_ok(volume_rename(f.pool, VOLUME_CONTAINER, "a", "c", &error), &error);
                assert_volume(&f, VOLUME_CONTAINER, "c", "a");
                assert_no_volume(&f, VOLUME_CONTAINER, "a");
                assert_fails(volume_rename(f.pool, VOLUME_CONTAINER, "x", "y", &error), &error,
                             ERROR_NO_SUCH_VOLUME);
        }
}

TEST(deleting_can_be_repeated) {
        FOR_EACH_DRIVER(f) {
                g_auto(Error) error = ERROR_INIT;
                int fd;

                make_volume(&f, VOLUME_CONTAINER, "a", "a");
                assert_ok(volume_begin(f.pool, VOLUME_CONTAINER, "a", &fd, &error), &error);
                (void) close(fd);
                assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "a", &error), &error);
                assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "a", &error), &error);
                g_assert_cmpuint(count_entries(&f, "containers"), ==, 0);
        }
}

TEST(bad_names_are_refused) {
        static const char *const names[] = {
                "", ".", "..", "../x", "a/b", ".a.new", "a b", "a\n", "/etc", "\xc3\xa4",
        };

        FOR_EACH_DRIVER(f) {
                g_autofree char *long_name = g_strnfill(VOLUME_NAME_MAX + 1, 'a');
                g_auto(Error) error = ERROR_INIT;
                int fd;

                for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                        assert_fails(volume_open(f.pool, VOLUME_CONTAINER, names[i], &fd, &error),
                                     &error, ERROR_INVALID_NAME);
                        assert_fails(volume_delete(f.pool, VOLUME_IMAGE, names[i], &error), &error,
                                     ERROR_INVALID_NAME);
                }
                assert_fails(volume_begin(f.pool, VOLUME_CUSTOM, long_name, &fd, &error), &error,
                             ERROR_INVALID_NAME);
                assert_fails(volume_open(f.pool, VOLUME_SNAPSHOT, "c", &fd, &error), &error,
                             ERROR_INVALID_NAME);
                assert_fails(volume_open(f.pool, VOLUME_SNAPSHOT, "../c", &fd, &error), &error,
                             ERROR_INVALID_NAME);
                assert_fails(volume_open(f.pool, VOLUME_SNAPSHOT, "c/s/t", &fd, &error), &error,
                             ERROR_INVALID_NAME);
        }
}

/* --- Traps ------------------------------------------------------------------------------- */

TEST(a_link_in_the_place_of_a_volume_leads_nowhere) {
        FOR_EACH_DRIVER(f) {
                g_autofree char *victim = storage_fixture_path(f.base, "victim");
                g_autofree char *trap = g_strdup_printf("%s/containers/c", f.path);
                g_autofree char *unfinished = g_strdup_printf("%s/containers/.d.new", f.path);
                g_auto(Error) error = ERROR_INIT;
                _cleanup_close_ int victim_fd = -EBADF;
                int fd;

                g_assert_cmpint(mkdir(victim, 0700), ==, 0);
                victim_fd = path_open_dir(victim);
                write_file(victim_fd, "file", "keep");
                g_assert_cmpint(symlink(victim, trap), ==, 0);
                g_assert_cmpint(symlink(victim, unfinished), ==, 0);
                make_volume(&f, VOLUME_IMAGE, "i", "image");

                assert_fails(volume_open(f.pool, VOLUME_CONTAINER, "c", &fd, &error), &error,
                             ERROR_BACKEND_FAILED);
                assert_fails(volume_delete(f.pool, VOLUME_CONTAINER, "c", &error), &error,
                             ERROR_BACKEND_FAILED);
                assert_fails(volume_rename(f.pool, VOLUME_CONTAINER, "c", "d", &error), &error,
                             ERROR_BACKEND_FAILED);
                assert_fails(volume_clone(f.pool, VOLUME_CONTAINER, "c", VOLUME_CUSTOM, "d",
                                          &error), &error, ERROR_BACKEND_FAILED);
                assert_fails(volume_clone(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "c", &error),
                             &error, ERROR_EXISTS);
                assert_ok(volume_clone(f.pool, VOLUME_IMAGE, "i", VOLUME_CONTAINER, "d", &error),
                          &error);
                assert_file(victim_fd, "file", "keep");
                g_assert_cmpint(faccessat(victim_fd, "d", F_OK, 0), ==, -1);
        }
}

TEST(a_link_in_the_place_of_a_mount_leads_nowhere) {
        FOR_EACH_DRIVER(f) {
                g_autofree char *place = storage_fixture_path(f.base, "mounted");
                g_autofree char *trap = storage_fixture_path(f.base, "trap");
                _cleanup_close_ int base_fd = -EBADF, place_fd = -EBADF, mounted_fd = -EBADF;

                g_assert_cmpint(mkdir(place, 0700), ==, 0);
                g_assert_cmpint(symlink(place, trap), ==, 0);
                base_fd = path_open_dir(f.base->directory);
                place_fd = path_open_dir(place);
                g_assert_cmpint(mount_bind(base_fd, place_fd), ==, 0);
                g_assert_cmpint(mount_end(base_fd, "trap"), ==, 0);
                mounted_fd = path_open_dir(place);
                g_assert_cmpint(mount_is_root(mounted_fd), ==, 1);
                mounted_fd = fd_close(mounted_fd);
                g_assert_cmpint(mount_end(base_fd, "mounted"), ==, 0);
                mounted_fd = path_open_dir(place);
                g_assert_cmpint(mount_is_root(mounted_fd), ==, 0);
        }
}

TEST(a_mount_inside_a_volume_is_not_emptied) {
        FOR_EACH_DRIVER(f) {
                g_autofree char *victim = storage_fixture_path(f.base, "victim");
                g_autofree char *inside = g_strdup_printf("%s/containers/c/mnt", f.path);
                g_auto(Error) error = ERROR_INIT;
                _cleanup_close_ int victim_fd = -EBADF;

                g_assert_cmpint(mkdir(victim, 0700), ==, 0);
                victim_fd = path_open_dir(victim);
                write_file(victim_fd, "file", "keep");
                make_volume(&f, VOLUME_CONTAINER, "c", "x");
                g_assert_cmpint(mkdir(inside, 0700), ==, 0);
                g_assert_cmpint(mount(victim, inside, NULL, MS_BIND, NULL), ==, 0);
                (void) volume_delete(f.pool, VOLUME_CONTAINER, "c", &error);
                error_clear(&error);
                assert_file(victim_fd, "file", "keep");

                (void) umount2(inside, UMOUNT_NOFOLLOW);
                g_free(inside);
                inside = g_strdup_printf("%s/containers/.c.old/mnt", f.path);
                (void) umount2(inside, UMOUNT_NOFOLLOW);
                assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "c", &error), &error);
                g_assert_cmpuint(count_entries(&f, "containers"), ==, 0);
        }
}

/* --- Subvolumes that a container made ---------------------------------------------------- */

static int make_subvolume(int dir_fd, const char *name) {
        int fd;

        g_assert_cmpint(btrfs_util_create_subvolume_fd(dir_fd, name, 0, NULL, NULL), ==,
                        BTRFS_UTIL_OK);
        fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static void set_read_only(int fd) {
        g_assert_cmpint(btrfs_util_set_subvolume_read_only_fd(fd, true), ==, BTRFS_UTIL_OK);
}

/* Directories whose path is longer than the kernel takes; the innermost is returned. */
static int make_deep(int dir_fd) {
        g_autofree char *name = g_strnfill(200, 'd');
        int fd = dup(dir_fd);

        for (int i = 0; i < 50; i++) {
                int child = path_make_dir(fd, name, 0755);

                g_assert_cmpint(child, >=, 0);
                (void) close(fd);
                fd = child;
        }
        return fd;
}

/* btrfs(8) gives up at a path that is too long. */
static unsigned count_subvolumes(PoolFixture *f) {
        _cleanup_close_ int fd = path_open_dir(f->path);
        g_autoptr(GPtrArray) nested = NULL;

        g_assert_cmpint(subvolume_list_nested(fd, &nested), ==, 0);
        return nested->len;
}

/* Read-only inside read-only, out of reach of any path, and a chain of them. */
static void make_nested(int fd) {
        _cleanup_close_ int outer = make_subvolume(fd, "outer");
        _cleanup_close_ int directory = path_make_dir(outer, "directory", 0755);
        _cleanup_close_ int inner = make_subvolume(directory, "inner");
        _cleanup_close_ int deep = make_deep(fd);
        _cleanup_close_ int far = make_subvolume(deep, "far");
        int link = dup(fd);

        write_file(inner, "file", "inner");
        write_file(far, "file", "far");
        set_read_only(inner);
        set_read_only(outer);
        for (int i = 0; i < 30; i++) {
                int next = make_subvolume(link, "chain");

                (void) close(link);
                link = next;
        }
        (void) close(link);
}

TEST(nested_subvolumes_go_with_their_volume) {
        PoolFixture f = pool_fixture_new("btrfs");
        g_auto(Error) error = ERROR_INIT;
        int fd;

        make_volume(&f, VOLUME_CONTAINER, "c", "x");
        fd = open_volume(&f, VOLUME_CONTAINER, "c");
        make_nested(fd);
        set_read_only(fd);
        (void) close(fd);
        g_assert_cmpuint(count_subvolumes(&f), ==, 34);
        assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "c", &error), &error);
        g_assert_cmpuint(count_subvolumes(&f), ==, 0);
        pool_fixture_done(&f);
}

TEST(nested_subvolumes_are_copied) {
        PoolFixture f = pool_fixture_new("btrfs");
        _cleanup_close_ int fd = -EBADF, copy_fd = -EBADF, inner = -EBADF, deep = -EBADF;
        g_auto(Error) error = ERROR_INIT;
        bool read_only;

        make_volume(&f, VOLUME_CONTAINER, "c", "x");
        fd = open_volume(&f, VOLUME_CONTAINER, "c");
        make_nested(fd);
        assert_ok(volume_clone(f.pool, VOLUME_CONTAINER, "c", VOLUME_SNAPSHOT, "c/s", &error),
                  &error);
        g_assert_cmpuint(count_subvolumes(&f), ==, 68);

        copy_fd = open_volume(&f, VOLUME_SNAPSHOT, "c/s");
        inner = path_open_beneath(copy_fd, "outer/directory/inner", O_RDONLY | O_DIRECTORY, 0);
        g_assert_cmpint(inner, >=, 0);
        assert_file(inner, "file", "inner");
        g_assert_cmpint(btrfs_util_get_subvolume_read_only_fd(inner, &read_only), ==,
                        BTRFS_UTIL_OK);
        g_assert_true(read_only);
        deep = make_deep(copy_fd); /* opens what is there */
        assert_file(deep, "far/file", "far");

        fd = fd_close(fd);
        assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "c", &error), &error);
        copy_fd = fd_close(copy_fd);
        inner = fd_close(inner);
        deep = fd_close(deep);
        assert_ok(volume_delete(f.pool, VOLUME_SNAPSHOT, "c/s", &error), &error);
        g_assert_cmpuint(count_subvolumes(&f), ==, 0);
        pool_fixture_done(&f);
}

/* --- Full, and lost power ---------------------------------------------------------------- */

TEST(a_volume_is_deleted_when_the_pool_is_full) {
        PoolFixture f = pool_fixture_new("btrfs");
        g_autofree char *block = g_strnfill(1 << 20, 'x');
        g_auto(Error) error = ERROR_INIT;
        _cleanup_close_ int fd = -EBADF, file = -EBADF;
        ssize_t n;
        int i;

        make_volume(&f, VOLUME_CONTAINER, "c", "x");
        fd = open_volume(&f, VOLUME_CONTAINER, "c");
        file = path_open_beneath(fd, "big", O_WRONLY | O_CREAT | O_SYNC, 0600);
        while ((n = write(file, block, 1 << 20)) > 0)
                ;
        g_assert_cmpint(errno, ==, ENOSPC);
        /* Small files fill what is set aside for metadata. */
        for (i = 0; i < 100000; i++) {
                g_autofree char *name = g_strdup_printf("small.%d", i);
                _cleanup_close_ int small = path_open_beneath(fd, name, O_WRONLY | O_CREAT, 0600);

                if (small < 0 || write(small, block, 1500) != 1500)
                        break;
        }
        g_assert_cmpint(i, <, 100000);
        assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "c", &error), &error);
        g_assert_cmpuint(count_entries(&f, "containers"), ==, 0);
        file = fd_close(file);
        fd = fd_close(fd);
        pool_fixture_done(&f);
}

/* What the disk would say if the power failed now: the loop file, read past the mount. */
static char *list_on_disk(PoolFixture *f) {
        g_autofree char *image = g_strdup_printf("%s/disks/p.img", f->base->state_dir);
        g_autofree char *copy = storage_fixture_path(f->base, "copy.img");
        const char *cp[] = { "cp", "--sparse=always", image, copy, NULL };
        const char *dump[] = { "btrfs", "inspect-internal", "dump-tree", copy, NULL };
        char *output;

        storage_fixture_program(cp, NULL);
        storage_fixture_program(dump, &output);
        g_assert_cmpint(unlink(copy), ==, 0);
        return output;
}

static void assert_on_disk(PoolFixture *f, const char *name, bool is_there) {
        g_autofree char *list = list_on_disk(f);
        g_autofree char *entry = g_strdup_printf("name: %s\n", name);

        g_assert_cmpint(!!strstr(list, entry), ==, is_there);
}

TEST(what_is_done_is_on_disk) {
        PoolFixture f = pool_fixture_new("btrfs");
        g_auto(Error) error = ERROR_INIT;

        make_volume(&f, VOLUME_IMAGE, "committed", "looked-for-content");
        assert_on_disk(&f, "committed", true);
        assert_ok(volume_clone(f.pool, VOLUME_IMAGE, "committed", VOLUME_CONTAINER, "cloned",
                               &error), &error);
        assert_on_disk(&f, "cloned", true);
        assert_ok(volume_rename(f.pool, VOLUME_CONTAINER, "cloned", "renamed", &error), &error);
        assert_on_disk(&f, "cloned", false);
        assert_on_disk(&f, "renamed", true);
        assert_ok(volume_delete(f.pool, VOLUME_CONTAINER, "renamed", &error), &error);
        assert_on_disk(&f, "renamed", false);
        pool_fixture_done(&f);
}

/* --- Through the worker ------------------------------------------------------------------ */

TEST(the_worker_makes_renames_and_deletes_containers) {
        FOR_EACH_DRIVER(f) {
                g_autoptr(WorkerClient) created = NULL, again = NULL, renamed = NULL;
                g_autoptr(WorkerClient) deleted = NULL, image = NULL, missing = NULL;
                gboolean idmapped = FALSE;

                make_volume(&f, VOLUME_IMAGE, "i", "image");
                created = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_CREATE, "p",
                                                     f.driver, "image", "i", "container", "c",
                                                     NULL);
                worker_client_assert_result(created);
                g_assert_true(g_variant_lookup(created->result, "idmapped", "b", &idmapped));
                g_assert_true(idmapped);
                g_assert_true(pool_can_idmap(f.pool));
                again = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_CREATE, "p",
                                                   f.driver, "image", "i", "container", "c", NULL);
                worker_client_assert_error(again, ERROR_EXISTS, "container \"c\"");
                missing = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_CREATE, "p",
                                                     f.driver, "image", "j", "container", "d",
                                                     NULL);
                worker_client_assert_error(missing, ERROR_NO_SUCH_VOLUME, "no image \"j\"");
                renamed = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_RENAME, "p",
                                                     f.driver, "container", "c", "name", "d",
                                                     NULL);
                worker_client_assert_result(renamed);
                assert_volume(&f, VOLUME_CONTAINER, "d", "image");
                deleted = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_DELETE, "p",
                                                     f.driver, "container", "d", NULL);
                worker_client_assert_result(deleted);
                image = storage_fixture_run_volume(f.base, OPERATION_IMAGE_DELETE, "p", f.driver,
                                                   "image", "i", NULL);
                worker_client_assert_result(image);
                g_assert_cmpuint(count_entries(&f, "containers"), ==, 0);
                g_assert_cmpuint(count_entries(&f, "images"), ==, 0);
        }
}

TEST(a_pool_that_is_not_mounted_is_not_used) {
        g_autoptr(StorageFixture) f = storage_fixture_new(NULL);
        g_autofree char *path = storage_fixture_pool_path(f, "p");
        g_autoptr(WorkerClient) client = NULL;

        storage_fixture_create_pool(f, "p", "btrfs");
        g_assert_cmpint(umount(path), ==, 0);
        client = storage_fixture_run_volume(f, OPERATION_CONTAINER_DELETE, "p", "btrfs",
                                            "container", "c", NULL);
        worker_client_assert_error(client, ERROR_BACKEND_FAILED, "not available");
        storage_fixture_delete_pool(f, "p", "btrfs");
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
