/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-download.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define LIST_TYPE ((const GVariantType *) "a(sasstta{ss}a(sts))")

/* The archive's content is its path, as a path can be written: it is all that is told twice. */
static char *path_of(const char *content) {
        char *path = g_strconcat("pool/", content, ".tar", NULL);

        for (char *p = path; *p; p++)
                if (*p == ' ')
                        *p = '+';
        return path;
}

int fake_download_list(Worker *worker, const char *content, Error *ret_error) {
        g_autofree char *path = path_of(content ?: "remote 1"), *hash = NULL;
        g_autoptr(GVariant) list = NULL;
        g_autoptr(GBytes) bytes = NULL;
        const char *wanted;
        int fd;

        if (worker_get_string(worker, "image", &wanted, NULL) >= 0 &&
            !g_str_equal(wanted, "debian/12"))
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE, "The server has no such image");
        hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);
        list = g_variant_ref_sink(g_variant_new_parsed(
                "[(%s, ['debian/12', 'debian/bookworm'], 'x86_64', @t 8, @t 1000000, "
                "{'os': 'Fake'}, [(%s, @t 8, '')])]", hash, path));
        g_assert_true(g_variant_is_of_type(list, LIST_TYPE));
        bytes = g_variant_get_data_as_bytes(list);
        fd = fd_new_memfd("list", bytes);
        if (fd < 0)
                return fd;
        worker_add_result_fd(worker, fd);
        return 0;
}

int fake_download_fetch(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        const char *url, *path;
        int r = worker_get_string(worker, "url", &url, ret_error);

        if (r < 0)
                return r;
        path = strstr(url, "pool/");
        g_assert_nonnull(path);
        return fd_write_all(fd, path, strlen(path));
}

int fake_download_locate(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *url;
        int r = worker_get_string(worker, "url", &url, ret_error);

        if (r < 0)
                return r;
        g_variant_dict_insert(result, "url", "s",
                              g_str_has_suffix(url, "/lie/url") ? "http://a/pool/x.tar" : url);
        g_variant_dict_insert(result, "hash", "s",
                              g_str_has_suffix(url, "/lie/hash") ? "../x" : "");
        return 0;
}
