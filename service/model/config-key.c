/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"

#include <string.h>

#include "service/model/config.h"

static bool row_is_prefix(const ConfigKey *row) {
        return g_str_has_suffix(row->name, ".*");
}

static bool row_matches(const ConfigKey *row, const char *key) {
        size_t n = strlen(row->name) - 1;

        if (!row_is_prefix(row))
                return g_str_equal(row->name, key);
        return strncmp(row->name, key, n) == 0 && key[n];
}

const ConfigKey *config_key_find(const char *key) {
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                if (row_matches(row, key))
                        return row;
        return NULL;
}

const char **config_key_scopes(const ConfigKey *row) {
        static const char *const words[] = {
                "container", "profile", "network", "pool", "volume", "service",
        };
        const char **scopes = g_new0(const char *, G_N_ELEMENTS(words) + 1);
        size_t n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (row->scopes & 1U << i)
                        scopes[n++] = words[i];
        return scopes;
}

bool config_key_is_live(const char *key) {
        const ConfigKey *row = config_key_find(key);

        return row && row->live;
}

bool config_get_boolean(GVariant *config, const char *key) {
        const ConfigKey *row = config_key_find(key);
        const char *value = config_get(config, key);
        bool on;

        if (value && config_parse_boolean(value, &on) >= 0)
                return on;
        return row && g_strcmp0(row->fallback, "true") == 0;
}

uint64_t config_get_integer(GVariant *config, const char *key) {
        const ConfigKey *row = config_key_find(key);
        const char *value = config_get(config, key);
        uint64_t number;

        if (value && config_parse_integer(value, 0, UINT64_MAX, &number) >= 0)
                return number;
        return row && row->fallback ? g_ascii_strtoull(row->fallback, NULL, 10) : 0;
}

/* Levenshtein distance; keys are short. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(b);
        g_autofree size_t *row = g_new(size_t, n + 1);

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t above = row[j];
                        size_t change = diagonal + (a[i - 1] != b[j - 1]);

                        row[j] = MIN(change, MIN(above, row[j - 1]) + 1);
                        diagonal = above;
                }
        }
        return row[n];
}

static const ConfigKey *nearest(const char *key, ConfigScope scope) {
        const ConfigKey *best = NULL;
        size_t best_distance = SIZE_MAX;

        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                size_t d = distance(key, row->name);

                if ((row->scopes & scope) && !row->read_only && d < best_distance) {
                        best = row;
                        best_distance = d;
                }
        }
        return best;
}

static int check_unknown(const char *key, ConfigScope scope, Error *ret_error) {
        g_autofree char *shown = g_strescape(key, NULL);
        const ConfigKey *other = NULL;

        if (strlen(shown) > 80)
                shown[80] = 0;
        else
                other = nearest(key, scope);
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "There is no configuration key \"%s\" here%s%s%s", shown,
                         other ? "; the nearest is \"" : "", other ? other->name : "",
                         other ? "\"" : "");
}

/* The part behind "environment." and its like must be a plain word. */
static bool key_is_clean(const char *key) {
        for (const char *p = key; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr("._-/", *p))
                        return false;
        return strlen(key) <= 255;
}

static int check_key(const char *key, ConfigScope scope, const ConfigKey **ret, Error *ret_error) {
        const ConfigKey *row = config_key_find(key);

        if (!row || !(row->scopes & scope) || !key_is_clean(key))
                return check_unknown(key, scope, ret_error);
        if (row->read_only)
                return error_set(
                        ret_error, ERROR_INVALID_CONFIG,
                        "Configuration key \"%s\" is kept by the service and cannot be set", key);
        if (row->check_name) {
                int r = row->check_name(key + strlen(row->name) - 1, ret_error);

                if (r < 0) {
                        error_prefix(ret_error, "Configuration key \"%s\"", key);
                        return r;
                }
        }
        *ret = row;
        return 0;
}

static int check_value(const ConfigKey *row, const char *value, Error *ret_error) {
        /* What NULs, broken UTF-8 and the like would be is D-Bus's to refuse. */
        if (!*value && row->check != config_check_text && row->check != config_check_line)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "the value is empty; unset the key instead");
        return row->check(value, ret_error);
}

int config_check(GVariant *set, GVariant *unset, ConfigScope scope, Error *ret_error) {
        const ConfigKey *row = NULL;
        const char *key, *value;
        GVariantIter iter;
        int r;

        r = config_check_unique(set, "Configuration key", ret_error);
        if (r < 0)
                return r;
        g_variant_iter_init(&iter, set);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                r = check_key(key, scope, &row, ret_error);
                if (r < 0)
                        return r;
                g_assert(row);
                r = check_value(row, value, ret_error);
                if (r < 0) {
                        error_prefix(ret_error, "Configuration key \"%s\"", key);
                        return r;
                }
        }
        if (!unset)
                return 0;
        g_variant_iter_init(&iter, unset);
        while (g_variant_iter_next(&iter, "&s", &key)) {
                r = check_key(key, scope, &row, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

GVariant *config_without_secrets(GVariant *config) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                const ConfigKey *row = config_key_find(key);

                if (row && !row->secret)
                        g_variant_builder_add(&builder, "{ss}", key, value);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}
