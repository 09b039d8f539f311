/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/storage-fixture.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define POOL_SIZE (UINT64_C(256) << 20)

bool storage_fixture_can_run(void) {
        static int can = -1;

        if (can < 0) {
                can = geteuid() == 0 && unshare(CLONE_NEWNS) >= 0 &&
                      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) >= 0 &&
                      access("/dev/loop-control", R_OK | W_OK) >= 0;
        }
        return can;
}

char *storage_fixture_mounts(void) {
        char *text;

        g_assert_true(g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL));
        return text;
}

unsigned storage_fixture_count_loops(StorageFixture *fixture) {
        g_autoptr(GDir) dir = g_dir_open("/sys/block", 0, NULL);
        const char *name;
        unsigned n = 0;

        g_assert_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_strdup_printf("/sys/block/%s/loop/backing_file", name);
                g_autofree char *file = NULL;

                if (g_file_get_contents(path, &file, NULL, NULL) &&
                    strstr(file, fixture->state_dir))
                        n++;
        }
        return n;
}

StorageFixture *storage_fixture_new(const char *tmpfs) {
        StorageFixture *fixture = g_new0(StorageFixture, 1);

        g_assert_true(storage_fixture_can_run());
        fixture->directory = g_strdup("/var/tmp/berth-test-storage.XXXXXX");
        g_assert_nonnull(mkdtemp(fixture->directory));
        fixture->state_dir = storage_fixture_path(fixture, "state");
        g_assert_cmpint(mkdir(fixture->state_dir, 0700), ==, 0);
        if (tmpfs)
                g_assert_cmpint(mount("tmpfs", fixture->state_dir, "tmpfs", 0, tmpfs), ==, 0);
        return fixture;
}

void storage_fixture_free(StorageFixture *fixture) {
        g_autofree char *name = NULL, *mounts = NULL;
        _cleanup_close_ int parent = -EBADF;

        if (!fixture)
                return;
        (void) umount2(fixture->state_dir, 0);
        mounts = storage_fixture_mounts();
        if (strstr(mounts, fixture->directory))
                g_error("Mounts are left: %s", mounts);
        g_assert_cmpuint(storage_fixture_count_loops(fixture), ==, 0);

        name = g_path_get_basename(fixture->directory);
        parent = path_open_dir("/var/tmp");
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_free(fixture->state_dir);
        g_free(fixture->directory);
        g_free(fixture);
}

char *storage_fixture_path(StorageFixture *fixture, const char *name) {
        return g_strdup_printf("%s/%s", fixture->directory, name);
}

char *storage_fixture_pool_path(StorageFixture *fixture, const char *pool) {
        return g_strdup_printf("%s/mounts/%s", fixture->state_dir, pool);
}

static void add_pool(StorageFixture *fixture, GVariantDict *dict, const char *pool,
                     const char *driver) {
        g_autofree char *path = storage_fixture_pool_path(fixture, pool);

        g_variant_dict_init(dict, NULL);
        g_variant_dict_insert(dict, "pool", "s", pool);
        g_variant_dict_insert(dict, "pool-driver", "s", driver);
        g_variant_dict_insert(dict, "pool-path", "s", path);
}

GVariant *storage_fixture_pool_args(StorageFixture *fixture, const char *pool, const char *driver,
                                    const char *source, uint64_t size) {
        GVariantDict dict;

        add_pool(fixture, &dict, pool, driver);
        g_variant_dict_insert(&dict, "source", "s", source);
        g_variant_dict_insert(&dict, "uuid", "s", "");
        g_variant_dict_insert(&dict, "size", "t", size);
        g_variant_dict_insert(&dict, "state-dir", "s", fixture->state_dir);
        g_variant_dict_insert_value(&dict, "config", g_variant_new_parsed("@a{ss} {}"));
        g_variant_dict_insert(&dict, "kept", "as", NULL);
        return g_variant_dict_end(&dict);
}

WorkerClient *storage_fixture_run(StorageFixture *fixture, const char *operation, const char *pool,
                                  const char *driver, const char *source, uint64_t size) {
        GVariant *args = storage_fixture_pool_args(fixture, pool, driver, source, size);
        WorkerClient *client = worker_client_start(WORKER_STORAGE, operation, args, NULL, 0);

        worker_client_finish(client);
        return client;
}

WorkerClient *storage_fixture_run_volume(StorageFixture *fixture, const char *operation,
                                         const char *pool, const char *driver, ...) {
        g_autoptr(IdMap) map = idmap_new_range((IdRange) { 1000000, ID_RANGE_SIZE });
        WorkerClient *client;
        GVariantDict dict;
        const char *key;
        va_list ap;

        add_pool(fixture, &dict, pool, driver);
        g_variant_dict_insert_value(&dict, "idmap", idmap_to_variant(map));
        g_variant_dict_insert(&dict, "may-shift", "b", TRUE);
        g_variant_dict_insert(&dict, "size", "t", UINT64_C(0));
        va_start(ap, driver);
        while ((key = va_arg(ap, const char *))) {
                g_variant_dict_insert(&dict, key, "s", va_arg(ap, const char *));
                if (g_str_equal(key, "forbid-shift"))
                        g_variant_dict_insert(&dict, "may-shift", "b", FALSE);
        }
        va_end(ap);
        client = worker_client_start(WORKER_STORAGE, operation, g_variant_dict_end(&dict), NULL, 0);
        worker_client_finish(client);
        return client;
}

void storage_fixture_create_pool(StorageFixture *fixture, const char *pool, const char *driver) {
        g_autoptr(WorkerClient) client = storage_fixture_run(
                fixture, OPERATION_POOL_CREATE, pool, driver, "",
                g_str_equal(driver, "btrfs") ? POOL_SIZE : 0);

        worker_client_assert_result(client);
}

void storage_fixture_delete_pool(StorageFixture *fixture, const char *pool, const char *driver) {
        g_autoptr(WorkerClient) client =
                storage_fixture_run(fixture, OPERATION_POOL_DELETE, pool, driver, "", 0);

        worker_client_assert_result(client);
}

Pool *storage_fixture_open_pool(StorageFixture *fixture, const char *pool, const char *driver) {
        g_auto(Error) error = ERROR_INIT;
        Worker worker = { 0 };
        GVariantDict dict;
        Pool *ret;
        int r;

        add_pool(fixture, &dict, pool, driver);
        worker.args = g_variant_ref_sink(g_variant_dict_end(&dict));
        r = pool_open(&worker, &ret, &error);
        g_assert_cmpstr(error.message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
        g_variant_unref(worker.args);
        return ret;
}

void storage_fixture_program(const char *const *argv, char **ret_output) {
        g_autofree char *errors = NULL;
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                                   ret_output, &errors, &status, NULL));
        if (status != 0)
                g_error("%s failed: %s", argv[0], errors);
}
