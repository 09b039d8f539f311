/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of image servers: what is read of them, and what is not. */

#include <string.h>

#include "service/model/catalogue.h"
#include "service/model/image-server.h"
#include "service/util/cleanup.h"
#include "service/worker/download/directory.h"
#include "service/worker/download/simplestreams.h"
#include "tests/unit/test.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D64 "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

static GVariant *parse_products(const char *text) {
        g_autoptr(List) list = list_new();
        g_auto(Error) error = ERROR_INIT;
        GVariant *catalogue;

        if (simplestreams_parse_products(text, strlen(text), list, &error) < 0)
                g_error("%s", error.message);
        catalogue = list_end(list);
        g_assert_cmpint(catalogue_check(catalogue, &error), ==, 0);
        return catalogue;
}

static GVariant *parse_sums(const char *text) {
        g_autoptr(List) list = list_new();
        GVariant *catalogue;

        g_assert_cmpint(directory_parse(text, strlen(text), list, NULL), ==, 0);
        catalogue = list_end(list);
        g_assert_cmpint(catalogue_check(catalogue, NULL), ==, 0);
        return catalogue;
}

static char *fingerprint_of(GVariant *catalogue, const char *name, const char *architecture) {
        g_autoptr(GVariant) image = catalogue_find(catalogue, name, architecture);
        char *fingerprint = NULL;

        if (image)
                g_variant_get_child(image, 0, "s", &fingerprint);
        return fingerprint;
}

static void assert_found(GVariant *catalogue, const char *name, const char *architecture,
                         const char *expected) {
        g_autofree char *found = fingerprint_of(catalogue, name, architecture);

        g_assert_cmpstr(found, ==, expected);
}

/* As LXD's and Ubuntu's servers write it. */
static const char products[] =
        "{\"products\": {"
        "\"debian:bookworm:amd64\": {\"aliases\": \"debian/bookworm, debian/12,bad alias\","
        " \"arch\": \"amd64\", \"os\": \"Debian\", \"release\": \"bookworm\","
        " \"release_title\": \"12\", \"variant\": \"default\", \"versions\": {"
        "\"20230101_05:24\": {\"items\": {"
        "\"lxd.tar.xz\": {\"ftype\": \"lxd.tar.xz\", \"path\": \"i/1/lxd.tar.xz\", \"size\": 100,"
        " \"sha256\": \"" C64 "\", \"combined_squashfs_sha256\": \"" A64 "\","
        " \"combined_rootxz_sha256\": \"" B64 "\"},"
        "\"root.tar.xz\": {\"ftype\": \"root.tar.xz\", \"path\": \"i/1/r.tar.xz\", \"size\": 7},"
        "\"root.squashfs\": {\"ftype\": \"squashfs\", \"path\": \"i/1/r.squashfs\", \"size\": 9,"
        " \"sha256\": \"" D64 "\"}}},"
        "\"20230102_05:24\": {\"items\": {"
        "\"incus.tar.xz\": {\"ftype\": \"incus.tar.xz\", \"path\": \"i/2/incus.tar.xz\","
        " \"size\": 100, \"combined_rootxz_sha256\": \"" B64 "\"},"
        "\"root.tar.xz\": {\"ftype\": \"root.tar.xz\", \"path\": \"i/2/r.tar.xz\", \"size\": 8}}},"
        "\"20230103\": {\"items\": {\"disk\": {\"ftype\": \"disk-kvm.img\", \"path\": \"d\"}}},"
        "\"20230104\": 7}},"
        "\"debian:bookworm:arm64\": {\"aliases\": \"debian/12\", \"arch\": \"arm64\", \"versions\":"
        " {\"20230101\": {\"items\": {\"x\": {\"ftype\": \"lxd_combined.tar.gz\","
        " \"path\": \"i/arm.tar.gz\", \"size\": 3, \"sha256\": \"" C64 "\"}}}}},"
        "\"out\": {\"aliases\": \"out\", \"arch\": \"amd64\", \"versions\":"
        " {\"1\": {\"items\": {\"x\": {\"ftype\": \"lxd_combined.tar.gz\","
        " \"path\": \"../../etc/passwd\", \"size\": 3, \"sha256\": \"" D64 "\"}}}}},"
        "\"no arch\": {\"aliases\": \"vax\", \"arch\": \"vax\", \"versions\":"
        " {\"1\": {\"items\": {\"x\": {\"ftype\": \"lxd_combined.tar.gz\","
        " \"path\": \"x\", \"size\": 3, \"sha256\": \"" D64 "\"}}}}},"
        "\"none\": null}}";

TEST(simplestreams) {
        g_autoptr(GVariant) catalogue = parse_products(products), image = NULL, files = NULL;
        g_autoptr(GVariant) properties = NULL;
        const char *path, *hash, *description = NULL;
        guint64 size, total, created;

        g_assert_cmpuint(g_variant_n_children(catalogue), ==, 3);
        /* The latest that is an image has the names, whatever else there is. */
        assert_found(catalogue, "debian/12", "x86_64", B64);
        assert_found(catalogue, "debian/bookworm", "x86_64", B64);
        assert_found(catalogue, "debian/12", "aarch64", C64);
        assert_found(catalogue, "debian/12/aarch64", "x86_64", C64);
        assert_found(catalogue, "debian/12", "riscv64", NULL);
        assert_found(catalogue, "bad alias", "x86_64", NULL);
        assert_found(catalogue, "out", "x86_64", NULL);
        assert_found(catalogue, "aaaaaaaaaaaaaaaa", "x86_64", A64);
        assert_found(catalogue, "aaaaaaaa", "x86_64", NULL);
        image = catalogue_find(catalogue, A64, "x86_64");
        g_assert_nonnull(image);
        g_variant_get(image, "(sasstt@a{ss}@a(sts))", NULL, NULL, NULL, &total, &created,
                      &properties, &files);
        g_assert_cmpuint(g_variant_n_children(files), ==, 2);
        g_variant_get_child(files, 0, "(&st&s)", &path, &size, &hash);
        g_assert_cmpstr(path, ==, "i/1/lxd.tar.xz");
        g_assert_cmpuint(size, ==, 100);
        g_assert_cmpstr(hash, ==, C64);
        g_variant_get_child(files, 1, "(&st&s)", &path, &size, &hash);
        g_assert_cmpstr(path, ==, "i/1/r.squashfs");
        g_assert_cmpuint(total, ==, 109);
        g_assert_cmpuint(created, ==, UINT64_C(1672550640000000));
        g_assert_true(g_variant_lookup(properties, "description", "&s", &description));
        g_assert_cmpstr(description, ==, "Debian 12 amd64 (20230101_05:24)");
}

TEST(simplestreams_that_are_none) {
        static const char *const texts[] = {
                "", "[]", "{}", "{\"products\": []}", "{\"products\": {\"a\": ", "nonsense",
                "{\"products\": {\"a\": [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                g_autoptr(List) list = list_new();
                g_auto(Error) error = ERROR_INIT;

                g_assert_cmpint(simplestreams_parse_products(texts[i], strlen(texts[i]), list,
                                                             &error), <, 0);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_IMAGE);
        }
}

TEST(simplestreams_index) {
        static const char text[] =
                "{\"index\": {\"a\": {\"datatype\": \"image-downloads\", \"path\": \"s/a.json\"},"
                "\"b\": {\"datatype\": \"image-ids\", \"path\": \"s/b.json\"},"
                "\"c\": {\"datatype\": \"image-downloads\", \"path\": \"https://evil/c.json\"},"
                "\"d\": {\"datatype\": \"image-downloads\", \"path\": 5}, \"e\": []}}";
        g_autoptr(GPtrArray) paths = NULL;

        g_assert_cmpint(simplestreams_parse_index(text, strlen(text), &paths, NULL), ==, 0);
        g_assert_cmpuint(paths->len, ==, 1);
        g_assert_cmpstr(paths->pdata[0], ==, "s/a.json");
}

TEST(directory) {
        g_autoptr(GVariant) catalogue = parse_sums(
                A64 "  ./debian/12.tar.xz\n" B64 " *busybox.squashfs\n" C64 "  README\n"
                D64 "  ../x.tar.xz\nshort  a.tar\n" D64 " x.tar\n\n" D64 "  a b.tar\n");

        g_assert_cmpuint(g_variant_n_children(catalogue), ==, 2);
        assert_found(catalogue, "debian/12", "riscv64", A64);
        assert_found(catalogue, "busybox", "x86_64", B64);
}

TEST(paths) {
        static const struct {
                const char *path;
                bool valid;
        } cases[] = {
                { "a", true },          { "a/b:c/d.tar.xz", true }, { "20230101_05:24/x", false },
                { "", false },          { "/a", false },            { "a/", false },
                { "a//b", false },      { "..", false },            { "a/../b", false },
                { "a/./b", false },     { "http://x", false },      { "a b", false },
                { "a?b", false },       { "a#b", false },           { "a\\b", false },
                { "caf\303\251", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (catalogue_path_is_valid(cases[i].path) != cases[i].valid)
                        g_error("%s", cases[i].path);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What a worker gives is looked at once more. */
TEST(catalogues_that_are_none) {
        static const struct {
                const char *fingerprint, *alias, *path, *hash;
                bool ok;
        } cases[] = {
                { HASH, "debian/12", "a/b", HASH, true },
                { HASH, "debian/12", "a/b", "", true },
                { "../x", "debian/12", "a/b", HASH, false },
                { "", "debian/12", "a/b", HASH, false },
                { HASH, "bad alias", "a/b", HASH, false },
                { HASH, "", "a/b", HASH, false },
                { HASH, "debian/12", "../b", HASH, false },
                { HASH, "debian/12", "a/b", "../x", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) catalogue = g_variant_ref_sink(g_variant_new_parsed(
                        "[(%s, [%s], 'x86_64', @t 1, @t 2, @a{ss} {}, [(%s, @t 3, %s)])]",
                        cases[i].fingerprint, cases[i].alias, cases[i].path, cases[i].hash));

                if ((catalogue_check(catalogue, NULL) >= 0) != cases[i].ok)
                        g_error("%zu", i);
        }
}

TEST(urls) {
        static const char *const good[] = { "https://a", "https://a.b:8443/c/d/",
                                            "https://[::1]:8443", "https://a/b-c_d~e" };
        static const char *const bad[] = { "", "https://", "http://a", "file:///etc", "a",
                                           "https://u:p@a", "https://a?x", "https://a#x",
                                           "https:///a", "https://:1", "https://a/../b",
                                           "https://a b", "https://a\nb" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                g_assert_cmpint(image_server_check_url(good[i], NULL), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (image_server_check_url(bad[i], NULL) >= 0)
                        g_error("%s", bad[i]);
}

TEST_MAIN()
