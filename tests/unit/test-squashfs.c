/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/squashfs-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/operations.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/squashfs-generator.h"
#include "tests/unit/tar-builder.h"
#include "tests/unit/test.h"

/* --- A root filesystem to be packed ------------------------------------------------------ */

static char *path_in(const char *directory, const char *name) {
        return g_build_filename(directory, name, NULL);
}

static void write_file(const char *directory, const char *name, mode_t mode, uid_t uid, gid_t gid,
                       const void *content, gssize size) {
        g_autofree char *path = path_in(directory, name);

        g_assert_true(g_file_set_contents(path, content, size, NULL));
        g_assert_cmpint(chown(path, uid, gid), ==, 0);
        g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void make_directory(const char *directory, const char *name, mode_t mode) {
        g_autofree char *path = path_in(directory, name);

        g_assert_cmpint(mkdir(path, 0755), ==, 0);
        g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void write_sparse(const char *directory, const char *name) {
        g_autofree char *path = path_in(directory, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        g_assert_cmpint(pwrite(fd, "begin", 5, 0), ==, 5);
        g_assert_cmpint(pwrite(fd, "middle", 6, 5 << 20), ==, 6);
        g_assert_cmpint(ftruncate(fd, (8 << 20) + 77), ==, 0);
}

/* All that a root filesystem may hold. */
static void fill(const char *directory) {
        static const guint8 program[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                            2, 0, 62, 0 };
        /* cap_net_raw=ep, version 2: without an id that it belongs to */
        static const guint8 capability[20] = { 0x01, 0x00, 0x00, 0x02, 0x00, 0x20 };
        static const struct timespec times[2] = { { .tv_sec = 1577836800 },
                                                  { .tv_sec = 1577836800 } };
        g_autofree char *shell = path_in(directory, "bin/sh"), *hard = path_in(directory, "hard");
        g_autofree char *name = path_in(directory, "etc/link"), *fifo = path_in(directory, "fifo");
        g_autofree char *device = path_in(directory, "dev/null");
        g_autofree char *large = g_malloc(700001);

        make_directory(directory, "bin", 0755);
        make_directory(directory, "etc", 0711);
        make_directory(directory, "dev", 0755);
        make_directory(directory, "home", 02770);
        make_directory(directory, "home/deep", 0700);
        write_file(directory, "bin/sh", 04755, 0, 0, program, sizeof(program));
        write_file(directory, "etc/os-release", 0644, 0, 0, "ID=squash\nVERSION_ID=7\n", -1);
        write_file(directory, "home/deep/empty", 0600, 1000, 65534, "", 0);
        for (size_t i = 0; i < 700001; i++)
                large[i] = (char) (i * i / 7);
        write_file(directory, "home/large", 0640, 1000, 1000, large, 700001);
        write_sparse(directory, "home/sparse");
        g_assert_cmpint(link(shell, hard), ==, 0);
        g_assert_cmpint(symlink("/../../etc/passwd", name), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0640), ==, 0);
        g_assert_cmpint(mknod(device, S_IFCHR | 0666, makedev(1, 3)), ==, 0);
        g_assert_cmpint(setxattr(shell, "user.test", "value", 5, 0), ==, 0);
        g_assert_cmpint(setxattr(shell, "security.capability", capability, 20, 0), ==, 0);
        g_assert_cmpint(setxattr(directory, "user.overlay.opaque", "y", 1, 0), ==, 0);
        g_assert_cmpint(utimensat(AT_FDCWD, shell, times, 0), ==, 0);
}

/* What there is but for devices, times of directories (which what is in them has changed) and where
 * it lies. */
static char *listing(const char *directory) {
        g_autofree char *script = g_strdup_printf(
                "cd '%s' && find . ! -path ./dev/null ! -type d -printf '%%p %%y %%l %%s %%m %%U "
                "%%G %%n %%Ts\\n' -o -type d -printf '%%p %%m %%U %%G\\n' | sort && "
                "find . -type f -exec sha256sum {} + | sort -k 2 && "
                "getfattr -h -d -m 'user.test|security' -R . | sort", directory);
        const char *const argv[] = { "sh", "-c", script, NULL };
        char *output;

        storage_fixture_program(argv, &output);
        return output;
}

static void assert_value(GVariant *dict, const char *key, const char *expected) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);
        g_autofree char *text = NULL;

        g_assert_nonnull(value);
        text = g_variant_print(value, TRUE);
        g_assert_cmpstr(text, ==, expected);
}

/* --- Import ------------------------------------------------------------------------------ */

TEST(a_squashfs_gives_what_was_packed) {
        static const char *const options[][5] = {
                { "-comp", "gzip", NULL }, { "-comp", "xz", NULL }, { "-comp", "zstd", NULL },
                { "-comp", "lz4", NULL }, { "-noI", "-noD", "-noF", "-noX", NULL },
                { "-b", "4096", NULL }, { "-no-fragments", NULL },
                { "-always-use-fragments", NULL }, { "-nopad", NULL },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new("btrfs");
        g_autofree char *tree = path_in(fixture->storage->directory, "tree"), *expected = NULL;
        const char *const remove[] = { "rm", "-r", tree, NULL };

        g_assert_cmpint(mkdir(tree, 0755), ==, 0);
        fill(tree);
        expected = listing(tree);
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                const char *const *o = options[i];
                g_autoptr(GBytes) archive =
                        squashfs_make(tree, o[0], o[1], o[1] ? o[2] : NULL,
                                      o[1] && o[2] ? o[3] : NULL, NULL);
                g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);
                g_autofree char *volume = image_fixture_volume(fixture, archive), *got = NULL;

                worker_client_assert_result(client);
                got = listing(volume);
                g_assert_cmpstr(got, ==, expected);
                assert_value(client->result, "skipped-devices", "uint32 1");
                assert_value(client->result, "architecture", "'x86_64'");
                image_fixture_forget(fixture, archive);
        }
        storage_fixture_program(remove, NULL);
}

/* --- Refused ----------------------------------------------------------------------------- */

static GBytes *squashfs_of(ImageFixture *fixture, void (*make)(const char *directory)) {
        g_autofree char *tree = path_in(fixture->storage->directory, "tree");
        const char *const remove[] = { "rm", "-r", tree, NULL };
        GBytes *archive;

        make_directory(fixture->storage->directory, "tree", 0755);
        make(tree);
        archive = squashfs_make(tree, "-comp", "gzip", NULL);
        storage_fixture_program(remove, NULL);
        return archive;
}

static void make_device(const char *directory) {
        g_autofree char *path = path_in(directory, "sda");

        g_assert_cmpint(mknod(path, S_IFBLK | 0666, makedev(8, 0)), ==, 0);
}

static void make_foreign(const char *directory) {
        write_file(directory, "file", 0644, 70000, 0, "x", 1);
}

static void make_deep(const char *directory) {
        g_autoptr(GString) path = g_string_new(directory);

        for (int i = 0; i < 300; i++) {
                g_string_append(path, "/d");
                g_assert_cmpint(mkdir(path->str, 0755), ==, 0);
        }
}

static void make_nothing(const char *directory) {
}

static GBytes *with_bytes(GBytes *archive, size_t offset, const void *bytes, size_t n) {
        gsize size;
        const void *data = g_bytes_get_data(archive, &size);
        guint8 *copy = g_malloc0(MAX(size, offset + n));

        memcpy(copy, data, size);
        memcpy(copy + offset, bytes, n);
        return g_bytes_new_take(copy, MAX(size, offset + n));
}

TEST(what_a_tar_archive_may_not_hold_a_squashfs_may_not_either) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        static const struct {
                const char *title;
                void (*make)(const char *directory);
                const char *text;
        } cases[] = {
                { "a disk", make_device, "device node outside dev/" },
                { "an owner that no container has", make_foreign, "between 0 and 65535" },
                { "300 directories one in another", make_deep, "nested too deeply" },
                { "nothing", make_nothing, "is empty" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GBytes) archive = squashfs_of(fixture, cases[i].make);

                image_fixture_refuse(fixture, cases[i].title, archive, ERROR_INVALID_IMAGE,
                                     cases[i].text);
        }
}

TEST(a_damaged_squashfs_is_refused) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) archive = squashfs_of(fixture, make_foreign);
        gsize size = g_bytes_get_size(archive);
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(archive, 0, 90);
        g_autoptr(GBytes) shorter = g_bytes_new_from_bytes(archive, 0, 100);
        g_autoptr(GBytes) lzo = with_bytes(archive, 20, "\3\0", 2);
        g_autoptr(GBytes) older = with_bytes(archive, 28, "\3\0", 2);
        g_autoptr(GBytes) more = with_bytes(archive, size, "more", 4);
        g_autoptr(GBytes) root = with_bytes(archive, 32, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);

        image_fixture_refuse(fixture, "half a super block", cut, ERROR_INVALID_IMAGE, "squashfs");
        image_fixture_refuse(fixture, "no tables", shorter, ERROR_INVALID_IMAGE, "squashfs");
        image_fixture_refuse(fixture, "lzo", lzo, ERROR_NOT_SUPPORTED, "not supported");
        image_fixture_refuse(fixture, "version 3", older, ERROR_NOT_SUPPORTED, "not supported");
        image_fixture_refuse(fixture, "more", more, ERROR_INVALID_IMAGE, "after its end");
        image_fixture_refuse(fixture, "no root", root, ERROR_INVALID_IMAGE, "squashfs");
}

/* The root directory's listing names the root itself once more: a directory in itself. */
TEST(a_directory_in_itself_ends) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *tree = path_in(fixture->storage->directory, "tree");
        const char *const remove[] = { "rm", "-r", tree, NULL };
        g_autoptr(GBytes) archive = NULL, looped = NULL;
        const guint8 *data, *name;
        gsize size;
        guint16 offset;

        make_directory(fixture->storage->directory, "tree", 0755);
        make_directory(tree, "iNnEr", 0755);
        archive = squashfs_make(tree, "-noI", NULL);
        storage_fixture_program(remove, NULL);
        data = g_bytes_get_data(archive, &size);
        /* The entry before its name: offset of the inode, difference of numbers, type, size. The
         * inode of the root comes after the one of the only other directory, in 32 bytes. */
        name = memmem(data, size, "iNnEr", strlen("iNnEr"));
        g_assert_nonnull(name);
        memcpy(&offset, data + 32, sizeof(offset));
        looped = with_bytes(archive, (size_t) (name - data) - 8, &offset, sizeof(offset));
        image_fixture_refuse(fixture, "a directory in itself", looped, ERROR_INVALID_IMAGE,
                             "nested too deeply");
}

/* --- Two archives ------------------------------------------------------------------------ */

static GBytes *make_metadata(const char *extra) {
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ);

        tar_builder_add_file(builder, "metadata.yaml",
                             "architecture: amd64\ncreation_date: 1600000000\n"
                             "properties: {os: Split}\n"
                             "templates: {/etc/hostname: {when: [create], template: h.tpl}}\n");
        tar_builder_add_directory(builder, "templates/");
        tar_builder_add_file(builder, "templates/h.tpl", "{{ container.name }}\n");
        if (extra)
                tar_builder_add_file(builder, extra, "x");
        return tar_builder_finish(builder);
}

static WorkerClient *import_split(ImageFixture *fixture, GBytes *metadata, GBytes *rootfs) {
        g_autofree char *spool = image_fixture_spool(fixture);
        g_autofree char *second = g_strconcat(spool, ".rootfs", NULL);
        _cleanup_close_ int fd = image_fixture_file(metadata);
        _cleanup_close_ int rootfs_fd = image_fixture_file(rootfs);
        const int fds[] = { fd, rootfs_fd };
        WorkerClient *client;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "spool", "s", spool);
        g_variant_dict_insert(&args, "rootfs-spool", "s", second);
        g_variant_dict_insert(&args, "pool", "s", "p");
        g_variant_dict_insert(&args, "pool-driver", "s", fixture->driver);
        g_variant_dict_insert(&args, "pool-path", "s", fixture->pool_path);
        client = worker_client_start(WORKER_IMAGE, OPERATION_IMAGE_IMPORT,
                                     g_variant_dict_end(&args), fds, 2);
        worker_client_finish(client);
        return client;
}

TEST(a_split_image_has_one_fingerprint) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("btrfs");
        g_autofree char *tree = path_in(fixture->storage->directory, "tree"), *expected = NULL;
        g_autofree char *spool = image_fixture_spool(fixture), *sum = NULL, *quoted = NULL;
        g_autofree char *second = g_strconcat(spool, ".rootfs", NULL);
        g_autofree char *volume = NULL, *got = NULL, *again = NULL;
        const char *const remove[] = { "rm", "-r", tree, spool, second, NULL };
        g_autoptr(GBytes) metadata = make_metadata(NULL), rootfs = NULL, both = NULL;
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(WorkerClient) client = NULL, deleted = NULL, unpacked = NULL;

        g_assert_cmpint(mkdir(tree, 0755), ==, 0);
        fill(tree);
        expected = listing(tree);
        rootfs = squashfs_make(tree, NULL);
        client = import_split(fixture, metadata, rootfs);
        worker_client_assert_result(client);

        g_byte_array_append(bytes, g_bytes_get_data(metadata, NULL),
                            (guint) g_bytes_get_size(metadata));
        g_byte_array_append(bytes, g_bytes_get_data(rootfs, NULL),
                            (guint) g_bytes_get_size(rootfs));
        both = g_byte_array_free_to_bytes(TAKE_PTR(bytes));
        sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, both);
        quoted = g_strdup_printf("'%s'", sum);
        assert_value(client->result, "fingerprint", quoted);
        assert_value(client->result, "properties", "{'os': 'Split'}");
        assert_value(client->result, "skipped-devices", "uint32 1");
        volume = image_fixture_volume(fixture, both);
        got = listing(volume);
        g_assert_cmpstr(got, ==, expected);

        /* and once more, from what has been kept */
        deleted = storage_fixture_run_volume(fixture->storage, OPERATION_IMAGE_DELETE, "p", "btrfs",
                                             "image", sum, NULL);
        worker_client_assert_result(deleted);
        unpacked = image_fixture_start(fixture, OPERATION_IMAGE_UNPACK, -EBADF, "rootfs", second,
                                       "image", sum, NULL);
        worker_client_finish(unpacked);
        worker_client_assert_result(unpacked);
        again = listing(volume);
        g_assert_cmpstr(again, ==, expected);
        storage_fixture_program(remove, NULL);
}

static void refuse_split(ImageFixture *fixture, const char *title, GBytes *metadata, GBytes *rootfs,
                         const char *text) {
        g_autofree char *before = image_fixture_listing(fixture), *after = NULL;
        g_autoptr(WorkerClient) client = import_split(fixture, metadata, rootfs);

        if (client->result)
                g_error("%s has been accepted", title);
        worker_client_assert_error(client, ERROR_INVALID_IMAGE, text);
        after = image_fixture_listing(fixture);
        g_assert_cmpstr(before, ==, after);
}

TEST(halves_that_do_not_belong_together_are_refused) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GBytes) metadata = make_metadata(NULL), with_rootfs = make_metadata("rootfs/x");
        g_autoptr(GBytes) with_more = make_metadata("more"), garbage = g_bytes_new("garbage", 7);
        g_autoptr(GBytes) device = squashfs_of(fixture, make_device);

        refuse_split(fixture, "garbage", metadata, garbage, "damaged, cut off");
        refuse_split(fixture, "a device", metadata, device, "device node");
        refuse_split(fixture, "a whole image first", with_rootfs, device, "in another archive");
        refuse_split(fixture, "something else first", with_more, device, "metadata.yaml");
        refuse_split(fixture, "a root filesystem first", device, metadata, "first archive");
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
