/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Image archives as other programs write them: what berth unpacks is what was packed, and what
 * other readers list (archive-list.h). So nobody who looks at an archive before he imports it sees
 * something else in it.
 */

#include <sys/wait.h>

#include "service/util/cleanup.h"
#include "tests/unit/archive-list.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/test.h"

/* What every format has room for. */
#define MAKE_TREE                                                                                  \
        "set -e; umask 022; mkdir -p image/rootfs/bin image/rootfs/empty; cd image;"               \
        "printf 'architecture: x86_64\\ncreation_date: 1600000000\\n' >metadata.yaml; cd rootfs;"  \
        "printf 'a program' >bin/init; ln bin/init bin/hard; : >nothing;"                          \
        "ln -s bin/init symbolic; ln -s /etc/none absolute; mkdir sbin;"                           \
        "ln -s ../bin/init sbin/init; chmod 4755 bin/init; head -c 20000 /dev/urandom >blocks;"    \
        "printf x >'with a blank'; printf x >'F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny'"
/* Names longer than one field of a header and than two, bytes that are no text, a hole. */
#define MAKE_LONG                                                                                  \
        "set -e; cd image/rootfs; long=$(printf '%0200d' 7); printf x >\"$long\";"                 \
        "mkdir -p \"$long.d/$long\"; ln -s \"$long.d/$long\" \"$long.d/$long/to\";"                \
        "ln \"$long\" \"$long.d/$long/hard\"; printf x >$(printf 'bytes\\377\\376');"              \
        "truncate --size 3M holes; printf end >>holes; truncate --size 2M hole;"             \
        "mkfifo fifo"

static const char *const short_writers[] = {
        "tar --format=v7", "tar --format=ustar", "bsdtar --format=v7tar", "bsdtar --format=ustar",
};
static const char *const long_writers[] = {
        "tar --format=oldgnu", "tar --format=gnu", "tar --format=pax", "tar --format=gnu --sparse",
        "tar --format=oldgnu --sparse", "tar --format=pax --sparse --sparse-version=0.0",
        "tar --format=pax --sparse --sparse-version=0.1",
        "tar --format=pax --sparse --sparse-version=1.0", "bsdtar --format=gnutar",
        "bsdtar --format=pax",
};
static const char *const python_formats[] = { "GNU_FORMAT", "PAX_FORMAT" };

static void run(const char *dir, const char *script) {
        const char *const argv[] = { "bash", "-c", script, NULL };
        g_autoptr(GError) error = NULL;
        g_autofree char *words = NULL;
        int status;

        g_assert_true(g_spawn_sync(dir, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                                   &words, &status, &error));
        if (status != 0)
                g_error("%s: status %d: %s", script, status, words);
}

/* `script` writes image.tar. */
static void check_writer(ImageFixture *fixture, const char *dir, const char *script) {
        g_autofree char *path = g_build_filename(dir, "image.tar", NULL), *content = NULL;
        g_autofree char *volume = NULL, *why = NULL;
        g_autoptr(WorkerClient) client = NULL;
        g_autoptr(GBytes) archive = NULL;
        gsize size;

        run(dir, script);
        g_assert_true(g_file_get_contents(path, &content, &size, NULL));
        archive = g_bytes_new_take(TAKE_PTR(content), size);
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        volume = image_fixture_volume(fixture, archive);
        why = archive_list_compare(path, volume);
        if (why)
                g_error("%s: %s", script, why);
        image_fixture_forget(fixture, archive);
}

static void check_tar(ImageFixture *fixture, const char *dir, const char *tar) {
        g_autofree char *script =
                g_strconcat(tar, " -C image -cf image.tar metadata.yaml rootfs", NULL);

        check_writer(fixture, dir, script);
}

static void check_python(ImageFixture *fixture, const char *dir, const char *format) {
        g_autofree char *script = g_strdup_printf(
                "python3 -c 'import os, tarfile; os.chdir(\"image\");"
                "t = tarfile.open(\"../image.tar\", \"w\", format=tarfile.%s);"
                "t.add(\"metadata.yaml\"); t.add(\"rootfs\"); t.close()'", format);

        check_writer(fixture, dir, script);
}

TEST(what_is_unpacked_is_what_others_list) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        const char *dir = fixture->storage->directory;

        run(dir, MAKE_TREE);
        for (size_t i = 0; i < ELEMENTSOF(short_writers); i++)
                check_tar(fixture, dir, short_writers[i]);
        run(dir, MAKE_LONG);
        for (size_t i = 0; i < ELEMENTSOF(long_writers); i++)
                check_tar(fixture, dir, long_writers[i]);
        for (size_t i = 0; i < ELEMENTSOF(python_formats); i++)
                check_python(fixture, dir, python_formats[i]);
}

TEST_MAIN()
