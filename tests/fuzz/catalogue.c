/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of image servers, which strangers write; and what berthd believes of what was read. */

#include <string.h>

#include "service/model/catalogue.h"
#include "service/util/cleanup.h"
#include "service/worker/download/directory.h"
#include "service/worker/download/simplestreams.h"
#include "tests/fuzz/target.h"

#define HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What is built inside the jail, those outside take; and every image is found by its hash. */
static void check_list(List *list) {
        g_autoptr(GVariant) catalogue = list_end(list);
        g_auto(Error) error = ERROR_INIT;

        if (catalogue_check(catalogue, &error) < 0)
                g_error("%s", error.message);
        for (gsize i = 0; i < MIN(g_variant_n_children(catalogue), 8); i++) {
                g_autoptr(GVariant) image = g_variant_get_child_value(catalogue, i), same = NULL;
                const char *fingerprint, *architecture;

                g_variant_get(image, "(&sas&stta{ss}a(sts))", &fingerprint, NULL, &architecture,
                              NULL, NULL, NULL, NULL);
                same = catalogue_find(catalogue, fingerprint, architecture);
                g_assert_true(same || g_variant_n_children(catalogue) > 1);
        }
}

FUZZ_TARGET(simplestreams) {
        g_autofree char *text = fuzz_bytes(data, size);
        g_autoptr(GPtrArray) paths = NULL;
        g_autoptr(List) list = list_new();
        g_auto(Error) error = ERROR_INIT, index_error = ERROR_INIT;
        int r;

        r = simplestreams_parse_products((const char *) data, size, list, &error);
        fuzz_check_error(r, &error);
        check_list(list);
        r = simplestreams_parse_index(text, strlen(text), &paths, &index_error);
        fuzz_check_error(r, &index_error);
        for (guint i = 0; r >= 0 && i < paths->len; i++)
                g_assert_true(catalogue_path_is_valid(paths->pdata[i]));
}

FUZZ_SEEDS(simplestreams) {
        fuzz_seed_text("{\"index\":{\"images\":{\"datatype\":\"image-downloads\","
                       "\"path\":\"streams/v1/images.json\",\"format\":\"products:1.0\"}}}");
        fuzz_seed_text("{\"products\":{\"a\":{\"aliases\":\"a/1,a\",\"arch\":\"amd64\","
                       "\"os\":\"A\",\"release\":\"1\",\"versions\":{\"20230101_05:24\":{\"items\":"
                       "{\"lxd.tar.xz\":{\"ftype\":\"lxd.tar.xz\",\"path\":\"x/lxd.tar.xz\","
                       "\"size\":1,\"combined_squashfs_sha256\":\"" HASH "\"},"
                       "\"root.squashfs\":{\"ftype\":\"squashfs\",\"path\":\"x/r\",\"size\":2,"
                       "\"sha256\":\"" HASH "\"}}}}}}}");
        fuzz_seed_text("{\"products\":{\"a\":{\"aliases\":\"a\",\"arch\":\"arm64\",\"versions\":"
                       "{\"1\":{\"items\":{\"i\":{\"ftype\":\"lxd_combined.tar.gz\","
                       "\"path\":\"i.tar.gz\",\"sha256\":\"" HASH "\"}}}}}}}");
}

FUZZ_TARGET(directory) {
        g_autoptr(List) list = list_new();
        g_auto(Error) error = ERROR_INIT;
        int r = directory_parse((const char *) data, size, list, &error);

        fuzz_check_error(r, &error);
        check_list(list);
}

FUZZ_SEEDS(directory) {
        fuzz_seed_text(HASH "  ./debian/12.tar.xz\n" HASH " *b.squashfs\n");
}

FUZZ_TARGET(catalogue) {
        g_autoptr(GVariant) catalogue = fuzz_variant((const char *) CATALOGUE_TYPE, data, size);
        g_autoptr(GVariant) found = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (!catalogue)
                return;
        r = catalogue_check(catalogue, &error);
        fuzz_check_error(r, &error);
        if (r >= 0)
                found = catalogue_find(catalogue, "a/1", "x86_64");
}

FUZZ_SEEDS(catalogue) {
        fuzz_seed_variant(g_variant_new_parsed(
                "[(%s, ['a/1'], 'x86_64', @t 1, @t 2, {'os': 'A'}, [('a/b', @t 3, %s)])]", HASH,
                HASH));
}
