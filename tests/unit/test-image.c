/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/architecture.h"
#include "service/worker/operations.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/tar-builder.h"
#include "tests/unit/test.h"

static const char *const drivers[] = { "dir", "btrfs" };

#define YEAR_2020 1577836800

static void stat_volume(const char *volume, const char *name, struct stat *ret) {
        g_autofree char *path = g_build_filename(volume, name, NULL);

        if (lstat(path, ret) < 0)
                g_error("%s: %s", path, g_strerror(errno));
}

static void assert_mode(const char *volume, const char *name, mode_t mode, uid_t uid, gid_t gid) {
        struct stat st;

        stat_volume(volume, name, &st);
        g_assert_cmphex(st.st_mode, ==, mode);
        g_assert_cmpuint(st.st_uid, ==, uid);
        g_assert_cmpuint(st.st_gid, ==, gid);
}

static void assert_content(const char *volume, const char *name, const char *content) {
        g_autofree char *path = g_build_filename(volume, name, NULL), *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, content);
}

static void assert_missing(const char *volume, const char *name) {
        g_autofree char *path = g_build_filename(volume, name, NULL);
        struct stat st;

        g_assert_cmpint(lstat(path, &st), <, 0);
}

static void assert_link(const char *volume, const char *name, const char *target) {
        g_autofree char *path = g_build_filename(volume, name, NULL);
        g_autofree char *text = g_file_read_link(path, NULL);

        g_assert_cmpstr(text, ==, target);
}

static void assert_value(GVariant *dict, const char *key, const char *expected) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);
        g_autofree char *text = NULL;

        g_assert_nonnull(value);
        text = g_variant_print(value, TRUE);
        g_assert_cmpstr(text, ==, expected);
}

/* --- All that a root filesystem may hold ------------------------------------------------- */

static void add_owned(TarBuilder *builder, const char *name, mode_t mode, unsigned uid,
                      unsigned gid, const char *content) {
        struct archive_entry *entry = tar_entry_new(name, mode);

        archive_entry_set_uid(entry, uid);
        archive_entry_set_gid(entry, gid);
        tar_builder_add(builder, entry, content, strlen(content));
}

static void add_device(TarBuilder *builder, const char *name) {
        struct archive_entry *entry = tar_entry_new(name, S_IFCHR | 0666);

        archive_entry_set_rdev(entry, makedev(1, 3));
        tar_builder_add(builder, entry, NULL, 0);
}

static GBytes *make_whole_image(int format, int filter) {
        g_autoptr(TarBuilder) builder = tar_builder_new(format, filter);
        g_autofree char *large = g_strnfill(300000, 'x');

        tar_builder_add_file(builder, "metadata.yaml",
                             "architecture: amd64\ncreation_date: 1600000000\n"
                             "properties: {os: Test}\n"
                             "templates: {/etc/hostname: {when: [create], template: h.tpl}}\n");
        tar_builder_add_directory(builder, "templates/");
        tar_builder_add_file(builder, "templates/h.tpl", "{{ container.name }}\n");
        add_owned(builder, "rootfs/", S_IFDIR | 0751, 0, 0, "");
        tar_builder_add_directory(builder, "rootfs/usr/");
        add_owned(builder, "rootfs/usr/bin/", S_IFDIR | 0555, 0, 0, "");
        tar_builder_add_program(builder, "rootfs/usr/bin/dash");
        tar_builder_add_symlink(builder, "rootfs/usr/bin/sh", "dash");
        tar_builder_add_symlink(builder, "rootfs/bin", "usr/bin");
        tar_builder_add_symlink(builder, "rootfs/absolute", "/etc/passwd");
        tar_builder_add_symlink(builder, "rootfs/upwards", "../../../../etc/passwd");
        tar_builder_add_link(builder, "rootfs/usr/bin/hard", "rootfs/usr/bin/dash");
        add_owned(builder, "rootfs/usr/bin/su", S_IFREG | 04755, 0, 0, "su");
        add_owned(builder, "rootfs/usr/bin/wall", S_IFREG | 02755, 0, 5, "wall");
        add_owned(builder, "rootfs/tmp/", S_IFDIR | 01777, 0, 0, "");
        add_owned(builder, "rootfs/home/", S_IFDIR | 02770, 1000, 65535, "");
        add_owned(builder, "rootfs/home/deep/er/file", S_IFREG | 0600, 65534, 1, large);
        add_owned(builder, "rootfs/fifo", S_IFIFO | 0640, 7, 8, "");
        add_device(builder, "rootfs/dev/null");
        add_device(builder, "rootfs/dev/mapper/control");
        tar_builder_add_symlink(builder, "rootfs/dev/fd", "/proc/self/fd");
        if (format != ARCHIVE_FORMAT_TAR_USTAR) {
                g_autofree char *name = g_strdup_printf("rootfs/%0200d", 7);

                tar_builder_add_file(builder, name, "long");
                tar_builder_add_file(builder, "rootfs/Főtanúsítvány", "utf8");
        }
        return tar_builder_finish(builder);
}

static void check_whole_image(const char *volume, int format) {
        g_autofree char *large = g_strnfill(300000, 'x');
        struct stat a, b;

        assert_mode(volume, "", S_IFDIR | 0751, 0, 0);
        assert_mode(volume, "usr/bin", S_IFDIR | 0555, 0, 0);
        assert_mode(volume, "usr/bin/su", S_IFREG | 04755, 0, 0);
        assert_mode(volume, "usr/bin/wall", S_IFREG | 02755, 0, 5);
        assert_mode(volume, "tmp", S_IFDIR | 01777, 0, 0);
        assert_mode(volume, "home", S_IFDIR | 02770, 1000, 65535);
        assert_mode(volume, "home/deep", S_IFDIR | 0755, 0, 0);
        assert_mode(volume, "home/deep/er/file", S_IFREG | 0600, 65534, 1);
        assert_content(volume, "home/deep/er/file", large);
        assert_mode(volume, "fifo", S_IFIFO | 0640, 7, 8);
        assert_link(volume, "bin", "usr/bin");
        assert_link(volume, "absolute", "/etc/passwd");
        assert_link(volume, "upwards", "../../../../etc/passwd");
        assert_link(volume, "dev/fd", "/proc/self/fd");
        assert_missing(volume, "dev/null");
        assert_missing(volume, "dev/mapper");
        assert_missing(volume, "metadata.yaml");
        assert_missing(volume, "templates");
        stat_volume(volume, "usr/bin/dash", &a);
        stat_volume(volume, "usr/bin/hard", &b);
        g_assert_cmpuint(a.st_ino, ==, b.st_ino);
        g_assert_cmpuint(a.st_nlink, ==, 2);
        g_assert_cmpint(a.st_mtim.tv_sec, ==, YEAR_2020);
        stat_volume(volume, "usr", &a);
        g_assert_cmpint(a.st_mtim.tv_sec, ==, YEAR_2020);
        stat_volume(volume, "absolute", &a);
        g_assert_cmpint(a.st_mtim.tv_sec, ==, YEAR_2020);
        if (format != ARCHIVE_FORMAT_TAR_USTAR) {
                g_autofree char *name = g_strdup_printf("%0200d", 7);

                assert_content(volume, name, "long");
                assert_content(volume, "Főtanúsítvány", "utf8");
        }
}

TEST(every_format_and_compression) {
        static const int formats[] = {
                ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
                ARCHIVE_FORMAT_TAR_GNUTAR,
        };
        static const int filters[] = {
                ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
                ARCHIVE_FILTER_LZMA, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");

        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                for (size_t k = 0; k < ELEMENTSOF(filters); k++) {
                        g_autoptr(GBytes) archive = make_whole_image(formats[i], filters[k]);
                        g_autoptr(WorkerClient) client =
                                image_fixture_import(fixture, archive, true);
                        g_autofree char *volume = image_fixture_volume(fixture, archive);

                        worker_client_assert_result(client);
                        check_whole_image(volume, formats[i]);
                        image_fixture_forget(fixture, archive);
                }
}

/* Version 7 has nothing but files, directories and links, and short names. */
TEST(version_7_too) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");
        g_autoptr(TarBuilder) builder =
                tar_builder_new(TAR_FORMAT_V7, ARCHIVE_FILTER_GZIP);
        g_autofree char *volume = NULL;
        g_autoptr(GBytes) archive = NULL;
        g_autoptr(WorkerClient) client = NULL;

        tar_builder_add_image(builder);
        tar_builder_add_link(builder, "rootfs/bin/hard", "rootfs/bin/sh");
        tar_builder_add_symlink(builder, "rootfs/link", "bin");
        archive = tar_builder_finish(builder);
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        volume = image_fixture_volume(fixture, archive);
        assert_link(volume, "link", "bin");
        assert_mode(volume, "bin/hard", S_IFREG | 0755, 0, 0);
}

TEST(the_result_tells_what_the_image_is) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(ImageFixture) fixture = image_fixture_new(drivers[i]);
                g_autoptr(GBytes) archive =
                        make_whole_image(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ);
                g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);
                g_autofree char *volume = image_fixture_volume(fixture, archive);
                g_autofree char *fingerprint = g_path_get_basename(volume);
                g_autofree char *spool = image_fixture_spool(fixture), *text = NULL;
                g_autofree char *quoted = g_strdup_printf("'%s'", fingerprint);
                g_autofree char *size = NULL;
                gsize n;

                worker_client_assert_result(client);
                check_whole_image(volume, ARCHIVE_FORMAT_TAR_USTAR);
                size = g_strdup_printf("uint64 %zu", g_bytes_get_size(archive));
                assert_value(client->result, "fingerprint", quoted);
                assert_value(client->result, "size", size);
                assert_value(client->result, "architecture", "'x86_64'");
                assert_value(client->result, "created", "uint64 1600000000000000");
                assert_value(client->result, "expires", "uint64 0");
                assert_value(client->result, "properties", "{'os': 'Test'}");
                assert_value(client->result, "templates",
                             "[('/etc/hostname', 'h.tpl', '{{ container.name }}\\n', ['create'], "
                             "@a{ss} {}, false)]");
                assert_value(client->result, "unpacked", "true");
                assert_value(client->result, "skipped-devices", "uint32 2");
                assert_mode(spool, "", S_IFREG | 0600, 0, 0);
                g_assert_true(g_file_get_contents(spool, &text, &n, NULL));
                g_assert_cmpmem(text, n, g_bytes_get_data(archive, NULL),
                                g_bytes_get_size(archive));
                g_assert_cmpstr(client->stages->pdata[0], ==, "reading the archive");
                g_assert_cmpstr(client->stages->pdata[1], ==, "unpacking");
        }
}

TEST(without_a_pool_it_is_only_checked) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");
        g_autoptr(GBytes) archive = make_whole_image(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_ZSTD);
        g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, false);
        g_autofree char *volume = image_fixture_volume(fixture, archive);

        worker_client_assert_result(client);
        assert_value(client->result, "unpacked", "false");
        assert_value(client->result, "skipped-devices", "uint32 2");
        assert_missing(volume, "");
}

/* --- Attributes that only pax can carry -------------------------------------------------- */

static ssize_t get_xattr(const char *volume, const char *name, const char *key, void *value,
                         size_t size) {
        g_autofree char *path = g_build_filename(volume, name, NULL);
        ssize_t n = lgetxattr(path, key, value, size);

        return n < 0 ? -errno : n;
}

TEST(extended_attributes_that_containers_need_are_kept) {
        /* cap_net_raw=ep, version 2: without an id that it belongs to */
        static const guint8 capability[20] = { 0x01, 0x00, 0x00, 0x02, 0x00, 0x20 };

        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(ImageFixture) fixture = image_fixture_new(drivers[i]);
                g_autoptr(TarBuilder) builder = tar_builder_new(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
                                                                ARCHIVE_FILTER_NONE);
                struct archive_entry *entry = tar_entry_new("rootfs/bin/ping", S_IFREG | 04755);
                g_autoptr(GBytes) archive = NULL;
                g_autoptr(WorkerClient) client = NULL;
                g_autofree char *volume = NULL;
                guint8 value[64];

                archive_entry_xattr_add_entry(entry, "security.capability", capability, 20);
                archive_entry_xattr_add_entry(entry, "user.test", "value", 5);
                archive_entry_xattr_add_entry(entry, "user.overlay.opaque", "y", 1);
                archive_entry_xattr_add_entry(entry, "trusted.overlay.opaque", "y", 1);
                archive_entry_xattr_add_entry(entry, "trusted.x", "y", 1);
                archive_entry_xattr_add_entry(entry, "security.selinux", "y", 1);
                tar_builder_add_image(builder);
                tar_builder_add(builder, entry, "ping", 4);
                entry = tar_entry_new("rootfs/d/", S_IFDIR | 0755);
                archive_entry_xattr_add_entry(entry, "user.test", "of a directory", 14);
                tar_builder_add(builder, entry, NULL, 0);
                archive = tar_builder_finish(builder);
                client = image_fixture_import(fixture, archive, true);
                worker_client_assert_result(client);

                volume = image_fixture_volume(fixture, archive);
                assert_mode(volume, "bin/ping", S_IFREG | 04755, 0, 0);
                g_assert_cmpint(get_xattr(volume, "bin/ping", "user.test", value, 64), ==, 5);
                g_assert_cmpmem(value, 5, "value", 5);
                g_assert_cmpint(get_xattr(volume, "d", "user.test", value, 64), ==, 14);
                /* On disk it belongs to the volume's id 0: version 3, whose last word is 0. */
                g_assert_cmpint(get_xattr(volume, "bin/ping", "security.capability", value, 64),
                                >=, 20);
                g_assert_cmpmem(value + 4, 4, capability + 4, 4);
                g_assert_cmpint(get_xattr(volume, "bin/ping", "trusted.x", value, 64), ==,
                                -ENODATA);
                g_assert_cmpint(get_xattr(volume, "bin/ping", "trusted.overlay.opaque", value, 64),
                                ==, -ENODATA);
                g_assert_cmpint(get_xattr(volume, "bin/ping", "user.overlay.opaque", value, 64),
                                ==, -ENODATA);
                g_assert_cmpint(get_xattr(volume, "bin/ping", "security.selinux", value, 64), ==,
                                -ENODATA);
        }
}

/* TAG[=ID]:PERMISSIONS for each entry. */
static char *acl_text(const char *volume, const char *name, const char *key) {
        g_autoptr(GString) out = g_string_new(NULL);
        guint8 value[512];
        ssize_t n = get_xattr(volume, name, key, value, sizeof(value));

        g_assert_cmpint(n, >, 4);
        for (ssize_t i = 4; i + 8 <= n; i += 8) {
                unsigned tag = value[i], id = value[i + 4] | (unsigned) value[i + 5] << 8;

                if (tag == 0x02 || tag == 0x08)
                        g_string_append_printf(out, "%s=%u", tag == 0x02 ? "user" : "group", id);
                else
                        g_string_append(out, tag == 0x01 ? "user" : tag == 0x04 ? "group" :
                                             tag == 0x10 ? "mask" : "other");
                g_string_append_printf(out, ":%u ", value[i + 2]);
        }
        return g_string_free(g_steal_pointer(&out), FALSE);
}

TEST(access_control_lists_are_kept) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE);
        struct archive_entry *entry = tar_entry_new("rootfs/journal/", S_IFDIR | 02755);
        g_autoptr(GBytes) archive = NULL;
        g_autoptr(WorkerClient) client = NULL;
        g_autofree char *volume = NULL, *access = NULL, *defaults = NULL;

        archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS,
                                    ARCHIVE_ENTRY_ACL_READ | ARCHIVE_ENTRY_ACL_EXECUTE,
                                    ARCHIVE_ENTRY_ACL_GROUP, 4, "adm");
        archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS,
                                    ARCHIVE_ENTRY_ACL_READ | ARCHIVE_ENTRY_ACL_EXECUTE,
                                    ARCHIVE_ENTRY_ACL_MASK, -1, NULL);
        for (int tag = ARCHIVE_ENTRY_ACL_USER_OBJ; tag; tag = tag == ARCHIVE_ENTRY_ACL_USER_OBJ ?
                     ARCHIVE_ENTRY_ACL_GROUP_OBJ : tag == ARCHIVE_ENTRY_ACL_GROUP_OBJ ?
                     ARCHIVE_ENTRY_ACL_OTHER : 0)
                archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT,
                                            ARCHIVE_ENTRY_ACL_READ, tag, -1, NULL);
        tar_builder_add_image(builder);
        tar_builder_add(builder, entry, NULL, 0);
        /* Made after the directory, but not subject to its default list. */
        add_owned(builder, "rootfs/journal/file", S_IFREG | 0640, 0, 0, "x");
        archive = tar_builder_finish(builder);
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        volume = image_fixture_volume(fixture, archive);
        access = acl_text(volume, "journal", "system.posix_acl_access");
        g_assert_cmpstr(access, ==, "user:7 group:5 group=4:5 mask:5 other:5 ");
        defaults = acl_text(volume, "journal", "system.posix_acl_default");
        g_assert_cmpstr(defaults, ==, "user:4 group:4 other:4 ");
        assert_mode(volume, "journal", S_IFDIR | 02755, 0, 0);
        assert_mode(volume, "journal/file", S_IFREG | 0640, 0, 0);
        g_assert_cmpint(get_xattr(volume, "journal/file", "system.posix_acl_access", NULL, 0), ==,
                        -ENODATA);
}

TEST(holes_stay_holes) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");
        const guint size = 64 << 20;
        g_autofree char *content = g_malloc0(size), *volume = NULL, *path = NULL, *text = NULL;
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE);
        struct archive_entry *entry = tar_entry_new("rootfs/sparse", S_IFREG | 0644);
        g_autoptr(GBytes) archive = NULL;
        g_autoptr(WorkerClient) client = NULL;
        struct stat st;
        gsize n;

        memcpy(content + (32 << 20), "middle", 6);
        archive_entry_set_size(entry, size);
        archive_entry_sparse_add_entry(entry, 32 << 20, 4096);
        tar_builder_add_image(builder);
        tar_builder_add(builder, entry, content, size);
        archive = tar_builder_finish(builder);
        g_assert_cmpuint(g_bytes_get_size(archive), <, 1 << 20);
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        volume = image_fixture_volume(fixture, archive);
        stat_volume(volume, "sparse", &st);
        g_assert_cmpuint(st.st_size, ==, size);
        g_assert_cmpuint(st.st_blocks, <, 100);
        path = g_build_filename(volume, "sparse", NULL);
        g_assert_true(g_file_get_contents(path, &text, &n, NULL));
        g_assert_true(n == size && memcmp(text, content, n) == 0);
}

/* --- Root filesystems without an image around -------------------------------------------- */

static GBytes *make_plain(const char *prefix, bool merged) {
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_GZIP);
        g_autofree char *release = g_strdup_printf("%susr/lib/os-release", prefix);
        g_autofree char *etc = g_strdup_printf("%setc/os-release", prefix);
        g_autofree char *program = g_strdup_printf("%susr/bin/dash", prefix);
        g_autofree char *shell = g_strdup_printf("%s%s", prefix, merged ? "usr/bin/sh" : "bin/sh");
        g_autofree char *bin = g_strdup_printf("%sbin", prefix);
        g_autofree char *null = g_strdup_printf("%sdev/null", prefix);

        if (prefix[0])
                add_owned(builder, "./", S_IFDIR | 0711, 0, 0, "");
        tar_builder_add_program(builder, program);
        tar_builder_add_symlink(builder, shell, merged ? "dash" : "../usr/bin/dash");
        if (merged)
                tar_builder_add_symlink(builder, bin, "/usr/bin");
        tar_builder_add_symlink(builder, etc, "../usr/lib/os-release");
        tar_builder_add_file(builder, release, "ID=void\nVERSION_ID=\"1.0\"\nPRETTY_NAME=Void\n");
        add_device(builder, null);
        return tar_builder_finish(builder);
}

TEST(plain_root_filesystems) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");

        for (int i = 0; i < 4; i++) {
                g_autoptr(GBytes) archive = make_plain(i & 1 ? "./" : "", i & 2);
                g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);
                g_autofree char *volume = image_fixture_volume(fixture, archive);

                worker_client_assert_result(client);
                assert_mode(volume, "", S_IFDIR | (i & 1 ? 0711 : 0755), 0, 0);
                assert_content(volume, "etc/os-release",
                               "ID=void\nVERSION_ID=\"1.0\"\nPRETTY_NAME=Void\n");
                assert_value(client->result, "architecture", "'x86_64'");
                assert_value(client->result, "created", "uint64 1577836800000000");
                assert_value(client->result, "expires", "uint64 0");
                assert_value(client->result, "properties",
                             "{'description': 'Void', 'name': 'Void', 'os': 'void', "
                             "'release': '1.0'}");
                assert_value(client->result, "templates", "@a(sssasa{ss}b) []");
                assert_value(client->result, "skipped-devices", "uint32 1");
                image_fixture_forget(fixture, archive);
        }
}

/* A tree of files as a system has them, to be packed by GNU tar. */
static void make_system(const char *path) {
        static const char os_release[] =
                "# comment\nPRETTY_NAME=\"Test Linux 7 (seven)\"\nID=test\nVERSION_ID='7'\n"
                "VERSION_CODENAME=seven\nHOME_URL=\"https://example.org/\"\n";
        static const guint8 capability[20] = { 0x01, 0x00, 0x00, 0x02, 0x00, 0x20 };
        static const char *const directories[] = { "dev", "etc", "home", "usr/bin", "usr/lib" };
        g_autofree char *dockerenv = g_build_filename(path, ".dockerenv", NULL);
        g_autofree char *shell = g_build_filename(path, "usr/bin/dash", NULL);
        g_autofree char *hard = g_build_filename(path, "usr/bin/ash", NULL);
        g_autofree char *soft = g_build_filename(path, "usr/bin/sh", NULL);
        g_autofree char *bin = g_build_filename(path, "bin", NULL);
        g_autofree char *etc_release = g_build_filename(path, "etc/os-release", NULL);
        g_autofree char *release = g_build_filename(path, "usr/lib/os-release", NULL);
        g_autofree char *null = g_build_filename(path, "dev/null", NULL);
        g_autofree char *home = g_build_filename(path, "home", NULL);
        const char *const copy[] = { "cp", "/bin/true", shell, NULL };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                g_autofree char *directory = g_build_filename(path, directories[i], NULL);

                g_assert_cmpint(g_mkdir_with_parents(directory, 0755), ==, 0);
        }
        g_assert_true(g_file_set_contents(dockerenv, "", 0, NULL));
        g_assert_true(g_file_set_contents(release, os_release, -1, NULL));
        storage_fixture_program(copy, NULL);
        g_assert_cmpint(chmod(shell, 04755), ==, 0);
        g_assert_cmpint(setxattr(shell, "security.capability", capability, 20, 0), ==, 0);
        g_assert_cmpint(link(shell, hard), ==, 0);
        g_assert_cmpint(symlink("dash", soft), ==, 0);
        g_assert_cmpint(symlink("usr/bin", bin), ==, 0);
        g_assert_cmpint(symlink("../usr/lib/os-release", etc_release), ==, 0);
        g_assert_cmpint(mknod(null, S_IFCHR | 0666, makedev(1, 3)), ==, 0);
        g_assert_cmpint(chown(home, 1000, 1001), ==, 0);
}

/* `members` is what is packed: "." the way of debootstrap and stage archives, or the names that
 * are there the way of docker export. */
static GBytes *pack_system(const char *path, const char *format, const char *const *members,
                           int filter) {
        g_autofree char *file = g_strconcat(path, ".tar", NULL), *content = NULL;
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        const char *const options[] = {
                "tar", "--create", "--file", file, "--directory", path, "--numeric-owner", format,
        };
        g_autoptr(GBytes) plain = NULL;
        gsize size;

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                g_ptr_array_add(argv, (gpointer) options[i]);
        for (; *members; members++)
                g_ptr_array_add(argv, (gpointer) *members);
        g_ptr_array_add(argv, NULL);
        storage_fixture_program((const char *const *) argv->pdata, NULL);
        g_assert_true(g_file_get_contents(file, &content, &size, NULL));
        plain = g_bytes_new_take(g_steal_pointer(&content), size);
        return filter == ARCHIVE_FILTER_NONE ? g_steal_pointer(&plain) :
                                               tar_compress(plain, filter);
}

static void check_system(ImageFixture *fixture, GBytes *archive, bool with_xattrs) {
        g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, true);
        g_autofree char *volume = image_fixture_volume(fixture, archive);
        struct utsname host;
        struct stat a, b;
        char *text;

        worker_client_assert_result(client);
        g_assert_cmpint(uname(&host), ==, 0);
        text = g_strdup_printf("'%s'", architecture_from_name(host.machine));
        assert_value(client->result, "architecture", text);
        g_free(text);
        assert_value(client->result, "properties",
                     "{'codename': 'seven', 'description': 'Test Linux 7 (seven)', "
                     "'name': 'Test Linux 7 (seven)', 'os': 'test', 'release': '7'}");
        assert_value(client->result, "skipped-devices", "uint32 1");
        assert_mode(volume, "usr/bin/dash", S_IFREG | 04755, 0, 0);
        assert_mode(volume, "home", S_IFDIR | 0755, 1000, 1001);
        assert_link(volume, "bin", "usr/bin");
        assert_missing(volume, "dev/null");
        stat_volume(volume, "usr/bin/dash", &a);
        stat_volume(volume, "usr/bin/ash", &b);
        g_assert_cmpuint(a.st_ino, ==, b.st_ino);
        if (with_xattrs)
                g_assert_cmpint(get_xattr(volume, "usr/bin/dash", "security.capability", NULL, 0),
                                >=, 20);
        image_fixture_forget(fixture, archive);
}

TEST(root_filesystems_as_tar_packs_them) {
        static const char *const dotted[] = { ".", NULL };
        static const char *const named[] = {
                ".dockerenv", "bin", "dev", "etc", "home", "usr", NULL,
        };
        static const int filters[] = {
                ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
                ARCHIVE_FILTER_ZSTD,
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new("dir");
        g_autofree char *path = storage_fixture_path(fixture->storage, "system");

        make_system(path);
        for (size_t i = 0; i < ELEMENTSOF(filters); i++)
                for (int posix = 0; posix < 2; posix++)
                        for (int is_named = 0; is_named < 2; is_named++) {
                                /* GNU's own format has no room for extended attributes. */
                                g_autoptr(GBytes) archive = pack_system(
                                        path, posix ? "--xattrs-include=*" : "--format=gnu",
                                        is_named ? named : dotted, filters[i]);

                                check_system(fixture, archive, posix);
                        }
}

/* --- Unpacking what was imported before -------------------------------------------------- */

TEST(an_imported_archive_is_unpacked_later) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++) {
                g_autoptr(ImageFixture) fixture = image_fixture_new(drivers[i]);
                g_autoptr(GBytes) archive =
                        make_whole_image(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_ZSTD);
                g_autoptr(WorkerClient) client = image_fixture_import(fixture, archive, false);
                g_autofree char *volume = image_fixture_volume(fixture, archive);
                g_autofree char *fingerprint = g_path_get_basename(volume);
                g_autofree char *spool = image_fixture_spool(fixture);
                struct stat first, second;

                worker_client_assert_result(client);
                for (int round = 0; round < 2; round++) {
                        g_autoptr(WorkerClient) unpack =
                                image_fixture_start(fixture, OPERATION_IMAGE_UNPACK, -1, "archive",
                                                    spool, "image", fingerprint, NULL);

                        worker_client_finish(unpack);
                        worker_client_assert_result(unpack);
                        check_whole_image(volume, ARCHIVE_FORMAT_TAR_USTAR);
                        stat_volume(volume, "", round == 0 ? &first : &second);
                }
                g_assert_cmpint(first.st_ctim.tv_nsec, ==, second.st_ctim.tv_nsec);
        }
}

TEST(an_image_that_is_there_stays_as_it_is) {
        g_autoptr(ImageFixture) fixture = image_fixture_new("btrfs");
        g_autoptr(GBytes) archive = make_whole_image(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE);
        g_autoptr(WorkerClient) first = image_fixture_import(fixture, archive, true);
        g_autofree char *spool = image_fixture_spool(fixture), *before = NULL, *after = NULL;
        g_autoptr(WorkerClient) second = NULL;

        worker_client_assert_result(first);
        g_assert_cmpint(unlink(spool), ==, 0);
        before = image_fixture_listing(fixture);
        second = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(second);
        assert_value(second->result, "unpacked", "true");
        g_assert_cmpint(unlink(spool), ==, 0);
        after = image_fixture_listing(fixture);
        g_assert_cmpstr(before, ==, after);
}

TEST_MAIN()
