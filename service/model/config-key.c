/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"

#include <string.h>

#include "service/model/config.h"
#include "service/model/network.h"
#include "service/model/size.h"

/* LXD's users put cloud-init documents into user.*; more than this is no configuration. */
#define CONFIG_VALUE_MAX (64U << 10)

int config_parse_boolean(const char *value, bool *ret) {
        static const struct {
                const char *text;
                bool value;
        } words[] = {
                { "true", true }, { "1", true }, { "yes", true }, { "on", true },
                { "false", false }, { "0", false }, { "no", false }, { "off", false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_ascii_strcasecmp(value, words[i].text) == 0) {
                        *ret = words[i].value;
                        return 0;
                }
        return -EINVAL;
}

static int check_text(const char *value, Error *ret_error) {
        if (strlen(value) > CONFIG_VALUE_MAX)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "the value is longer than %u bytes", CONFIG_VALUE_MAX);
        return 0;
}

/* What ends up in a process's environment or in a file of lines. */
static int check_line(const char *value, Error *ret_error) {
        for (const char *p = value; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "the value holds a control character");
        return check_text(value, ret_error);
}

static int check_boolean(const char *value, Error *ret_error) {
        bool unused;

        if (config_parse_boolean(value, &unused) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" is not true or false",
                                 value);
        return 0;
}

static int check_size(const char *value, Error *ret_error) {
        uint64_t unused;

        return size_parse(value, &unused, ret_error);
}

static int check_mtu(const char *value, Error *ret_error) {
        guint64 unused;

        if (!g_ascii_string_to_unsigned(value, 10, 1280, 65535, &unused, NULL))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no MTU between 1280 and 65535", value);
        return 0;
}

static int check_source(const char *value, Error *ret_error) {
        if (*value && *value != '/')
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is not an absolute path", value);
        return check_line(value, ret_error);
}

#define INSTANCE (CONFIG_SCOPE_CONTAINER | CONFIG_SCOPE_PROFILE)

static const ConfigKey table[] = {
        { "environment.*", INSTANCE, CONFIG_CLASS_USE, "string", check_line, .secret = true,
          .help = "environment variable of init and of programs run by exec" },
        { "user.*", INSTANCE | CONFIG_SCOPE_NETWORK | CONFIG_SCOPE_POOL, CONFIG_CLASS_USE,
          "string", check_text,
          .secret = true, .help = "free for users' own purposes" },
        { "image.*", INSTANCE, CONFIG_CLASS_USE, "string", check_text, .read_only = true,
          .help = "property of the image that the container was made from" },
        { "volatile.*", INSTANCE | CONFIG_SCOPE_NETWORK | CONFIG_SCOPE_POOL, CONFIG_CLASS_USE,
          "string", check_text,
          .read_only = true, .help = "facts that the service keeps for itself" },

        { "bridge.mtu", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "integer", check_mtu,
          .help = "MTU of the bridge (default 1500)" },
        { "dns.domain", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "domain", network_check_domain,
          .help = "domain of the containers' names (default berth)" },
        { "ipv4.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE,
          "auto|none|CIDR", network_check_ipv4,
          .help = "IPv4 address of the host on the bridge (default auto)" },
        { "ipv4.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", check_boolean,
          .help = "masquerade IPv4 going out (default true where the address is auto)" },
        { "ipv6.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE,
          "auto|none|CIDR", network_check_ipv6,
          .help = "IPv6 address of the host on the bridge (default auto)" },
        { "ipv6.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", check_boolean,
          .help = "masquerade IPv6 going out (default true where the address is auto)" },

        { "size", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "size", check_size,
          .help = "size of the loop file (default a fifth of the free space, 5 to 30 GiB)" },
        { "source", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "path", check_source,
          .help = "directory that holds the pool" },
        { NULL },
};

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
        for (const ConfigKey *row = table; row->name; row++)
                if (row_matches(row, key))
                        return row;
        return NULL;
}

const ConfigKey *config_key_table(void) {
        return table;
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

        for (const ConfigKey *row = table; row->name; row++) {
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
        *ret = row;
        return 0;
}

int config_check(GVariant *set, GVariant *unset, ConfigScope scope, Error *ret_error) {
        const ConfigKey *row;
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
                r = row->check(value, ret_error);
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
