/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/image-fixture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"

/* For both of its runs: what is refused must not take longer than it takes to notice. */
#define REFUSE_USEC_MAX (20 * G_TIME_SPAN_SECOND)

/* With `tmpfs`, all of it is on a filesystem of that size in memory. */
static ImageFixture *fixture_new(const char *driver, const char *tmpfs) {
        ImageFixture *fixture = g_new(ImageFixture, 1);
        const char *prefix = tmpfs ? "state/" : "";
        g_autofree char *secret = NULL, *spool = g_strconcat(prefix, "spool", NULL);
        g_autofree char *host = g_strconcat(prefix, "host", NULL);

        *fixture = (ImageFixture) { .storage = storage_fixture_new(tmpfs), .driver = driver };
        fixture->pool_path = storage_fixture_pool_path(fixture->storage, "p");
        fixture->spool_dir = storage_fixture_path(fixture->storage, spool);
        fixture->host_dir = storage_fixture_path(fixture->storage, host);
        g_assert_cmpint(mkdir(fixture->spool_dir, 0700), ==, 0);
        g_assert_cmpint(mkdir(fixture->host_dir, 0755), ==, 0);
        secret = g_build_filename(fixture->host_dir, "secret", NULL);
        g_assert_true(g_file_set_contents(secret, "secret", -1, NULL));
        storage_fixture_create_pool(fixture->storage, "p", driver);
        return fixture;
}

ImageFixture *image_fixture_new(const char *driver) {
        return fixture_new(driver, NULL);
}

ImageFixture *image_fixture_new_in_memory(void) {
        return fixture_new("dir", "size=512m");
}

void image_fixture_free(ImageFixture *fixture) {
        if (!fixture)
                return;
        storage_fixture_delete_pool(fixture->storage, "p", fixture->driver);
        storage_fixture_free(fixture->storage);
        g_free(fixture->pool_path);
        g_free(fixture->spool_dir);
        g_free(fixture->host_dir);
        g_free(fixture);
}

int image_fixture_file(GBytes *content) {
        g_autofree char *path = NULL;
        gsize size;
        const void *data = g_bytes_get_data(content, &size);
        int fd = g_file_open_tmp("berth-test-image.XXXXXX", &path, NULL);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(unlink(path), ==, 0);
        g_assert_cmpint(fd_write_all(fd, data, size), ==, 0);
        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        return fd;
}

char *image_fixture_spool(ImageFixture *fixture) {
        return g_build_filename(fixture->spool_dir, "incoming", NULL);
}

char *image_fixture_volume(ImageFixture *fixture, GBytes *archive) {
        g_autofree char *fingerprint =
                g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, archive);

        return g_build_filename(fixture->pool_path, "images", fingerprint, NULL);
}

static void add_pool(ImageFixture *fixture, GVariantDict *args) {
        g_variant_dict_insert(args, "pool", "s", "p");
        g_variant_dict_insert(args, "pool-driver", "s", fixture->driver);
        g_variant_dict_insert(args, "pool-path", "s", fixture->pool_path);
}

WorkerClient *image_fixture_start(ImageFixture *fixture, const char *operation, int fd, ...) {
        GVariantDict args;
        const char *key;
        va_list ap;

        g_variant_dict_init(&args, NULL);
        add_pool(fixture, &args);
        va_start(ap, fd);
        while ((key = va_arg(ap, const char *)))
                g_variant_dict_insert(&args, key, "s", va_arg(ap, const char *));
        va_end(ap);
        return worker_client_start(WORKER_IMAGE, operation, g_variant_dict_end(&args), &fd,
                                   fd >= 0 ? 1 : 0);
}

WorkerClient *image_fixture_start_import(ImageFixture *fixture, int fd, bool with_pool) {
        g_autofree char *spool = image_fixture_spool(fixture);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "spool", "s", spool);
        if (with_pool)
                add_pool(fixture, &args);
        return worker_client_start(WORKER_IMAGE, OPERATION_IMAGE_IMPORT, g_variant_dict_end(&args),
                                   &fd, 1);
}

WorkerClient *image_fixture_import(ImageFixture *fixture, GBytes *archive, bool with_pool) {
        _cleanup_close_ int fd = image_fixture_file(archive);
        WorkerClient *client = image_fixture_start_import(fixture, fd, with_pool);

        worker_client_finish(client);
        return client;
}

char *image_fixture_listing(ImageFixture *fixture) {
        const char *const argv[] = {
                "find", fixture->pool_path, fixture->spool_dir, fixture->host_dir,
                /* A directory's time and size change with what was in it for a while. */
                "-type", "d", "-printf", "%p %y %m %U %G %i\\n", "-o",
                "-printf", "%p %y %l %s %m %U %G %i %n %T@ %C@\\n", NULL,
        };
        char *output;

        storage_fixture_program(argv, &output);
        return output;
}

void image_fixture_refuse(ImageFixture *fixture, const char *title, GBytes *archive, ErrorCode code,
                          const char *text) {
        g_autofree char *before = image_fixture_listing(fixture);
        gint64 start = g_get_monotonic_time();

        for (int with_pool = 0; with_pool < 2; with_pool++) {
                g_autoptr(WorkerClient) client =
                        image_fixture_import(fixture, archive, with_pool);
                g_autofree char *after = image_fixture_listing(fixture);

                if (client->result)
                        g_error("%s has been accepted", title);
                printf("  %s: %s\n", title, client->error_message);
                worker_client_assert_error(client, code, text);
                g_assert_cmpstr(before, ==, after);
        }
        g_assert_cmpint(g_get_monotonic_time() - start, <, REFUSE_USEC_MAX);
}

void image_fixture_forget(ImageFixture *fixture, GBytes *archive) {
        g_autofree char *fingerprint = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, archive);
        g_autofree char *spool = image_fixture_spool(fixture);
        g_autoptr(WorkerClient) client =
                storage_fixture_run_volume(fixture->storage, OPERATION_IMAGE_DELETE, "p",
                                           fixture->driver, "image", fingerprint, NULL);

        worker_client_assert_result(client);
        g_assert_cmpint(unlink(spool), ==, 0);
}
