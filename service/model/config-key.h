/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one table of configuration keys: what there is, what a value may be, who may see it.
 * Validation, help and documentation all come from it. A key that is not in the table is an error
 * that names the nearest one that is.
 */

#include <stdbool.h>

#include "service/model/config-value.h"
#include "service/util/error.h"

typedef enum ConfigScope {
        CONFIG_SCOPE_CONTAINER = 1 << 0,
        CONFIG_SCOPE_PROFILE = 1 << 1,
        CONFIG_SCOPE_NETWORK = 1 << 2,
        CONFIG_SCOPE_POOL = 1 << 3,
        CONFIG_SCOPE_VOLUME = 1 << 4,
        CONFIG_SCOPE_SERVICE = 1 << 5, /* its action is "configure" */
} ConfigScope;

/* What a key can do to the host; see service/model/privilege.h. Every row says one: the value 0 is
 * "nobody has thought about it", counts as the strongest, and fails a test. */
typedef enum ConfigClass {
        _CONFIG_CLASS_UNSET,
        CONFIG_CLASS_USE,
        CONFIG_CLASS_KERNEL_SURFACE,
        CONFIG_CLASS_HOST,
} ConfigClass;

typedef struct ConfigKey {
        const char *name;     /* "user.*" stands for every key that begins with "user." */
        unsigned scopes;
        ConfigClass class;
        const char *type;     /* for people: "string", "boolean", "size", … */
        int (*check)(const char *value, Error *ret_error);
        int (*check_name)(const char *name, Error *ret_error); /* what stands for "*", or NULL */
        bool live;            /* a change reaches a running container */
        bool secret;          /* not shown to others than owner and administrator */
        bool read_only;       /* kept by the service */
        const char *harmless_when; /* boolean value of CONFIG_CLASS_USE, NULL: none */
        const char *fallback; /* what it means when the key is not there, NULL: nothing */
        const char *help;     /* one line */
} ConfigKey;

/* The row of a key, or NULL. */
const ConfigKey *config_key_find(const char *key);
/* The names of its scopes: "container", "profile", "network", "pool", "volume", "service". Ends
 * with NULL; g_free(). */
const char **config_key_scopes(const ConfigKey *row);
/* All rows, ending with a NULL name; in config-key-table.c. */
const ConfigKey *config_key_table(void);
bool config_key_is_live(const char *key);
/* Checks keys and values of `set` (a{ss}) as given by a caller: known, of that scope, not
 * read-only, valid. `unset` (as, may be NULL): known, not read-only. */
int config_check(GVariant *set, GVariant *unset, ConfigScope scope, Error *ret_error);
/* The config without what is secret. */
GVariant *config_without_secrets(GVariant *config);

/* Values as they are in effect: what is not there, or does not read (a record from elsewhere), is
 * the key's fallback. */
bool config_get_boolean(GVariant *config, const char *key);
uint64_t config_get_integer(GVariant *config, const char *key);
