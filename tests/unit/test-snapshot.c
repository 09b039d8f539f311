/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <btrfsutil.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/storage/storage.h"
#include "tests/unit/storage-fixture.h"
#include "tests/unit/test.h"

/* Snapshots as the worker makes them, and what a worker that was killed leaves. */

typedef struct Fixture {
        StorageFixture *base;
        const char *driver;
        Pool *pool;
        char *path;
} Fixture;

static Fixture fixture_new(const char *driver) {
        Fixture f = { .base = storage_fixture_new(NULL), .driver = driver };

        storage_fixture_create_pool(f.base, "p", driver);
        f.path = storage_fixture_pool_path(f.base, "p");
        f.pool = storage_fixture_open_pool(f.base, "p", driver);
        return f;
}

static void fixture_done(Fixture *f) {
        f->pool = pool_free(f->pool);
        storage_fixture_delete_pool(f->base, "p", f->driver);
        storage_fixture_free(f->base);
        g_free(f->path);
}

static const char *const drivers[] = { "btrfs", "dir" };

#define FOR_EACH_DRIVER(f) \
        for (size_t _i = 0; _i < ELEMENTSOF(drivers); _i++) \
                for (Fixture f = fixture_new(drivers[_i]); f.base; fixture_done(&f), f.base = NULL)

static char *path_of(const Fixture *f, const char *name) {
        return g_build_filename(f->path, name, NULL);
}

static bool is_there(const Fixture *f, const char *name) {
        g_autofree char *path = path_of(f, name);

        return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void write_file(const Fixture *f, const char *name, const char *text) {
        g_autofree char *path = path_of(f, name);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_file(const Fixture *f, const char *name, const char *expected) {
        g_autofree char *path = path_of(f, name), *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, expected);
}

static void make_container(const Fixture *f, const char *name, const char *text) {
        g_autofree char *file = g_strdup_printf("containers/%s/file", name);
        g_auto(Error) error = ERROR_INIT;
        _cleanup_close_ int fd = -EBADF;

        g_assert_cmpint(volume_begin(f->pool, VOLUME_CONTAINER, name, &fd, &error), ==, 0);
        g_assert_cmpint(volume_commit(f->pool, VOLUME_CONTAINER, name, &error), ==, 0);
        write_file(f, file, text);
}

static void run(const Fixture *f, const char *operation, const char *snapshot) {
        g_autoptr(WorkerClient) client = storage_fixture_run_volume(
                f->base, operation, "p", f->driver, "container", "c", "snapshot", snapshot, NULL);

        worker_client_assert_result(client);
}

static bool is_read_only(const Fixture *f, const char *name) {
        g_autofree char *path = path_of(f, name);
        bool read_only = false;

        g_assert_cmpint(btrfs_util_get_subvolume_read_only(path, &read_only), ==, 0);
        return read_only;
}

TEST(a_snapshot_does_not_change) {
        FOR_EACH_DRIVER(f) {
                make_container(&f, "c", "before");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                write_file(&f, "containers/c/file", "after");
                assert_file(&f, "snapshots/c/s/file", "before");
                if (g_str_equal(f.driver, "btrfs"))
                        g_assert_true(is_read_only(&f, "snapshots/c/s"));
                run(&f, OPERATION_SNAPSHOT_DELETE, "s");
                run(&f, OPERATION_SNAPSHOT_DELETE, "s");
                g_assert_false(is_there(&f, "snapshots/c"));
        }
}

TEST(restoring_replaces_and_leads_back) {
        FOR_EACH_DRIVER(f) {
                make_container(&f, "c", "before");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                write_file(&f, "containers/c/file", "after");
                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                assert_file(&f, "containers/c/file", "before");
                assert_file(&f, "containers/.c.old/file", "after");
                write_file(&f, "containers/c/new", "can be written");

                run(&f, OPERATION_SNAPSHOT_RESTORE_UNDO, "s");
                assert_file(&f, "containers/c/file", "after");
                g_assert_false(is_there(&f, "containers/.c.old"));
                run(&f, OPERATION_SNAPSHOT_RESTORE_UNDO, "s");
                assert_file(&f, "containers/c/file", "after");

                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                run(&f, OPERATION_SNAPSHOT_RESTORE_END, "s");
                run(&f, OPERATION_SNAPSHOT_RESTORE_END, "s");
                assert_file(&f, "containers/c/file", "before");
                g_assert_false(is_there(&f, "containers/.c.old"));
                g_assert_false(is_there(&f, "containers/.c.new"));
        }
}

static void move(const Fixture *f, const char *from, const char *to) {
        g_autofree char *old = path_of(f, from), *new = path_of(f, to);

        g_assert_cmpint(rename(old, new), ==, 0);
}

/* The worker was killed between its two renames, or after them: a restore that is done again, and
 * one that is taken back, both come to a whole container. */
TEST(a_restore_that_was_cut_short) {
        FOR_EACH_DRIVER(f) {
                make_container(&f, "c", "before");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                write_file(&f, "containers/c/file", "after");
                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                move(&f, "containers/c", "containers/.c.new");
                run(&f, OPERATION_SNAPSHOT_RESTORE_UNDO, "s");
                assert_file(&f, "containers/c/file", "after");
                g_assert_false(is_there(&f, "containers/.c.new"));

                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                move(&f, "containers/c", "containers/.c.new");
                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                assert_file(&f, "containers/c/file", "before");
                run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
                assert_file(&f, "containers/c/file", "before");
                run(&f, OPERATION_SNAPSHOT_RESTORE_END, "s");
                g_assert_false(is_there(&f, "containers/.c.old"));
        }
}

TEST(what_is_half_made_is_made_anew) {
        FOR_EACH_DRIVER(f) {
                make_container(&f, "c", "whole");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                move(&f, "snapshots/c/s", "snapshots/c/.s.new");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                assert_file(&f, "snapshots/c/s/file", "whole");
                g_assert_false(is_there(&f, "snapshots/c/.s.new"));
        }
}

/* What takes the place of another one: no caller can have made what is there before. */
TEST(a_stand_in_is_made_anew_and_gets_its_name) {
        FOR_EACH_DRIVER(f) {
                g_autoptr(WorkerClient) taken = NULL, named = NULL;

                make_container(&f, "c", "old");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s");
                run(&f, OPERATION_SNAPSHOT_CREATE, "_s");
                write_file(&f, "containers/c/file", "new");
                run(&f, OPERATION_SNAPSHOT_CREATE, "_s");
                assert_file(&f, "snapshots/c/_s/file", "new");
                assert_file(&f, "snapshots/c/s/file", "old");
                taken = storage_fixture_run_volume(f.base, OPERATION_SNAPSHOT_RENAME, "p",
                                                   f.driver, "container", "c", "snapshot", "_s",
                                                   "name", "s", NULL);
                worker_client_assert_error(taken, ERROR_EXISTS, "there is one already");
                run(&f, OPERATION_SNAPSHOT_DELETE, "s");
                named = storage_fixture_run_volume(f.base, OPERATION_SNAPSHOT_RENAME, "p",
                                                   f.driver, "container", "c", "snapshot", "_s",
                                                   "name", "s", NULL);
                worker_client_assert_result(named);
                assert_file(&f, "snapshots/c/s/file", "new");
                g_assert_false(is_there(&f, "snapshots/c/_s"));
        }
}

TEST(they_go_and_move_with_their_container) {
        FOR_EACH_DRIVER(f) {
                g_autoptr(WorkerClient) renamed = NULL, again = NULL, deleted = NULL;

                make_container(&f, "c", "text");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s1");
                run(&f, OPERATION_SNAPSHOT_CREATE, "s2");
                renamed = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_RENAME, "p",
                                                     f.driver, "container", "c", "name", "d", NULL);
                worker_client_assert_result(renamed);
                again = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_RENAME, "p",
                                                   f.driver, "container", "c", "name", "d", NULL);
                worker_client_assert_result(again);
                assert_file(&f, "snapshots/d/s2/file", "text");
                g_assert_false(is_there(&f, "snapshots/c"));
                deleted = storage_fixture_run_volume(f.base, OPERATION_CONTAINER_DELETE, "p",
                                                     f.driver, "container", "d", NULL);
                worker_client_assert_result(deleted);
                g_assert_false(is_there(&f, "snapshots/d"));
                g_assert_false(is_there(&f, "containers/d"));
        }
}

/* A container that makes subvolumes of its own, read-only ones among them, is snapshot, restored
 * and deleted with them. */
TEST(nested_subvolumes) {
        Fixture f = fixture_new("btrfs");
        g_autofree char *outer = path_of(&f, "containers/c/outer");
        g_autofree char *inner = path_of(&f, "containers/c/outer/inner");

        make_container(&f, "c", "text");
        g_assert_cmpint(btrfs_util_create_subvolume(outer, 0, NULL, NULL), ==, 0);
        g_assert_cmpint(btrfs_util_create_subvolume(inner, 0, NULL, NULL), ==, 0);
        write_file(&f, "containers/c/outer/inner/deep", "deep");
        g_assert_cmpint(btrfs_util_set_subvolume_read_only(inner, true), ==, 0);

        run(&f, OPERATION_SNAPSHOT_CREATE, "s");
        g_assert_true(is_read_only(&f, "snapshots/c/s"));
        assert_file(&f, "snapshots/c/s/outer/inner/deep", "deep");
        g_assert_cmpint(btrfs_util_set_subvolume_read_only(inner, false), ==, 0);
        write_file(&f, "containers/c/outer/inner/deep", "changed");

        run(&f, OPERATION_SNAPSHOT_RESTORE, "s");
        run(&f, OPERATION_SNAPSHOT_RESTORE_END, "s");
        assert_file(&f, "containers/c/outer/inner/deep", "deep");
        g_assert_true(is_read_only(&f, "containers/c/outer/inner"));
        g_assert_false(is_read_only(&f, "containers/c"));
        g_assert_false(is_there(&f, "containers/.c.old"));

        run(&f, OPERATION_SNAPSHOT_DELETE, "s");
        g_assert_false(is_there(&f, "snapshots/c"));
        fixture_done(&f);
}

TEST(names_are_checked) {
        FOR_EACH_DRIVER(f) {
                static const char *const bad[] = { "..", ".s", "a/b", "", "s\n" };

                make_container(&f, "c", "text");
                for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                        g_autoptr(WorkerClient) client = storage_fixture_run_volume(
                                f.base, OPERATION_SNAPSHOT_CREATE, "p", f.driver, "container", "c",
                                "snapshot", bad[i], NULL);

                        worker_client_assert_error(client, ERROR_INVALID_NAME, "cannot be");
                }
        }
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
