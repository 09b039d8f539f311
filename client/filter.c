/* SPDX-License-Identifier: Apache-2.0 */
#include "client/filter.h"

#include <arpa/inet.h>
#include <string.h>

#include "client/format.h"
#include "service/util/cleanup.h"

typedef enum FilterKind {
        FILTER_NAME,     /* beginning or regular expression */
        FILTER_PROPERTY, /* of the container */
        FILTER_FIXED,    /* what is the same of all */
        FILTER_ADDRESS,
        FILTER_CONFIG,
} FilterKind;

typedef struct Shorthand {
        const char *key;
        FilterKind kind;
        const char *name; /* of the property; or the text that all have */
} Shorthand;

static const Shorthand shorthands[] = {
        { "architecture", FILTER_PROPERTY, "Architecture" },
        { "description", FILTER_PROPERTY, "Description" },
        { "ipv4", FILTER_ADDRESS, NULL },
        { "ipv6", FILTER_ADDRESS, NULL },
        { "location", FILTER_FIXED, "none" },
        { "name", FILTER_NAME, NULL },
        { "project", FILTER_FIXED, "default" },
        { "state", FILTER_PROPERTY, "State" },
        { "status", FILTER_PROPERTY, "State" },
        { "type", FILTER_FIXED, "container" },
};

typedef struct Network {
        int family;
        uint8_t address[16];
        unsigned prefix;
} Network;

struct Filter {
        FilterKind kind;
        char *key;
        char *value;
        const char *name; /* see Shorthand */
        GRegex *regex; /* NULL when the value is no valid one: compared as it is then */
        Network network;
};

void filter_free(Filter *f) {
        if (!f)
                return;

        g_free(f->key);
        g_free(f->value);
        g_clear_pointer(&f->regex, g_regex_unref);
        g_free(f);
}

static int network_parse(const char *text, int family, Network *ret) {
        g_auto(GStrv) parts = g_strsplit(text, "/", 2);
        uint64_t prefix = family == AF_INET ? 32 : 128;

        if (!parts[0] || inet_pton(family, parts[0], ret->address) != 1)
                return -EINVAL;
        if (parts[1] && (parse_number(parts[1], &prefix) < 0 ||
                         prefix > (family == AF_INET ? 32 : 128)))
                return -EINVAL;
        ret->family = family;
        ret->prefix = (unsigned) prefix;
        return 0;
}

static bool network_holds(const Network *n, const char *address) {
        uint8_t bytes[16];
        unsigned whole = n->prefix / 8, rest = n->prefix % 8;

        if (inet_pton(n->family, address, bytes) != 1 || memcmp(bytes, n->address, whole) != 0)
                return false;
        return rest == 0 || (bytes[whole] ^ n->address[whole]) >> (8 - rest) == 0;
}

static int filter_set_address(Filter *f, int family, Error *ret_error) {
        g_autofree char *shown = NULL;

        if (network_parse(f->value, family, &f->network) >= 0)
                return 0;
        shown = format_printable(f->value);
        return error_set(ret_error, ERROR_INVALID_ARGS, "'%s' is neither an address nor a network",
                         shown);
}

static int filter_set_key(Filter *f, Error *ret_error) {
        f->kind = FILTER_CONFIG;
        for (size_t i = 0; i < ELEMENTSOF(shorthands); i++)
                if (g_str_equal(shorthands[i].key, f->key)) {
                        f->kind = shorthands[i].kind;
                        f->name = shorthands[i].name;
                }
        if (f->kind == FILTER_ADDRESS)
                return filter_set_address(f, f->key[3] == '4' ? AF_INET : AF_INET6, ret_error);
        return 0;
}

GRegex *filter_regex_new(const char *value, bool caseless) {
        g_autofree char *whole = g_strdup_printf("^(?:%s)$", value);

        return g_regex_new(strpbrk(value, "^$") ? value : whole,
                           caseless ? G_REGEX_CASELESS : G_REGEX_DEFAULT, 0, NULL);
}

bool filter_regex_matches(const GRegex *regex, const char *wanted, const char *value) {
        return regex ? g_regex_match(regex, value, 0, NULL) : g_str_equal(wanted, value);
}

int filter_new(const char *text, Filter **ret, Error *ret_error) {
        g_autoptr(Filter) f = g_new0(Filter, 1);
        int r;

        if (parse_assignment(text, &f->key, &f->value) < 0)
                f->value = g_strdup(text);
        else {
                r = filter_set_key(f, ret_error);
                if (r < 0)
                        return r;
        }
        f->regex = filter_regex_new(f->value, f->kind == FILTER_PROPERTY);
        *ret = TAKE_PTR(f);
        return 0;
}

bool filter_needs_config(const Filter *f) {
        return f->kind == FILTER_CONFIG;
}

const char *filter_property(const Filter *f) {
        switch (f->kind) {
        case FILTER_PROPERTY:
                return f->name;
        case FILTER_ADDRESS:
                return "Addresses";
        default:
                return NULL;
        }
}

static bool value_matches(const Filter *f, const char *value) {
        return filter_regex_matches(f->regex, f->value, value);
}

/* "u.te" abbreviates "user.team": each part is a beginning of the key's part. */
static bool key_matches(const char *pattern, const char *key) {
        g_auto(GStrv) wanted = g_strsplit(pattern, ".", -1);
        g_auto(GStrv) parts = g_strsplit(key, ".", -1);

        if (g_strv_length(wanted) != g_strv_length(parts))
                return false;
        for (size_t i = 0; wanted[i]; i++)
                if (!g_str_has_prefix(parts[i], wanted[i]))
                        return false;
        return true;
}

static bool config_matches(const Filter *f, GVariant *config) {
        const char *key, *value;
        GVariantIter iter;

        if (!config)
                return false;
        if (g_variant_lookup(config, f->key, "&s", &value))
                return value_matches(f, value);
        /* "user.team=": those that have none. */
        if (!*f->value)
                return true;
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (key_matches(f->key, key) && value_matches(f, value))
                        return true;
        return false;
}

static bool addresses_match(const Filter *f, const Object *container) {
        g_autoptr(GVariant) addresses = object_get_value(container, filter_property(f), "a(sssus)");

        for (size_t i = 0; addresses && i < g_variant_n_children(addresses); i++) {
                const char *address;

                g_variant_get_child(addresses, i, "(&s&s&su&s)", NULL, NULL, &address, NULL, NULL);
                if (network_holds(&f->network, address))
                        return true;
        }
        return false;
}

bool filter_matches(const Filter *f, const Object *container, GVariant *config) {
        switch (f->kind) {
        case FILTER_NAME:
                return g_str_has_prefix(container->name, f->value) ||
                       value_matches(f, container->name);
        case FILTER_PROPERTY:
                return value_matches(f, object_get_string(container, f->name));
        case FILTER_FIXED:
                return value_matches(f, f->name);
        case FILTER_ADDRESS:
                return addresses_match(f, container);
        case FILTER_CONFIG:
                return config_matches(f, config);
        }
        g_assert_not_reached();
}
