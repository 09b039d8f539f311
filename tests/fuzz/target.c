/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/target.h"

#include <string.h>

#include "service/util/error.h"
#include "service/util/log.h"

const FuzzTarget *fuzz_target_find(const char *name) {
        for (const FuzzTarget *t = fuzz_targets; t->name; t++)
                if (g_str_equal(t->name, name))
                        return t;
        return NULL;
}

void fuzz_set_up(void) {
        (void) g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
        log_set_max_level(-1);
}

void (*fuzz_seed_taker)(const void *data, size_t size);

void fuzz_seed(const void *data, size_t size) {
        fuzz_seed_taker(data, size);
}

void fuzz_seed_text(const char *text) {
        fuzz_seed(text, strlen(text));
}

void fuzz_seed_variant(GVariant *value) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(value);

        fuzz_seed(g_variant_get_data(owned), g_variant_get_size(owned));
}

char *fuzz_text(const uint8_t *data, size_t size) {
        return g_utf8_make_valid((const char *) data, (gssize) size);
}

char *fuzz_bytes(const uint8_t *data, size_t size) {
        return g_strndup((const char *) data, size);
}

GVariant *fuzz_variant(const char *type, const uint8_t *data, size_t size) {
        g_autoptr(GBytes) bytes = g_bytes_new(data, size);
        GVariant *value = g_variant_ref_sink(
                g_variant_new_from_bytes(G_VARIANT_TYPE(type), bytes, FALSE));

        if (g_variant_is_normal_form(value))
                return value;
        g_variant_unref(value);
        return NULL;
}

void fuzz_check_error(int r, const void *error) {
        const Error *e = error;

        if (r >= 0) {
                g_assert_null(e->message);
                return;
        }
        g_assert_nonnull(e->message);
        g_assert_cmpint(e->code, <, _ERROR_MAX);
        g_assert_true(g_utf8_validate(e->message, -1, NULL));
}
