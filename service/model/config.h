/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configuration and devices as values that never change: an a{ss} of keys, an a{sa{ss}} of devices
 * by name, both sorted by name, so that equal content is equal bytes. A change makes a new value;
 * whoever checks it and then swaps it in has a transaction.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

#define CONFIG_TYPE ((const GVariantType *) "a{ss}")
#define DEVICES_TYPE ((const GVariantType *) "a{sa{ss}}")

/* All return a full reference. */
GVariant *config_empty(void);
GVariant *devices_empty(void);
/* `base` with what `set` (a{ss} or NULL) sets, and without the keys of `unset` (as or NULL).
 * Sorted; of a key given twice in `set` the last wins (the bus refuses such). */
GVariant *config_merge(GVariant *base, GVariant *set, GVariant *unset);
/* `base` with each device of `over` put in, in place of one of the same name. */
GVariant *devices_merge(GVariant *base, GVariant *over);
/* Value of a key, or NULL. Valid as long as `config`. */
const char *config_get(GVariant *config, const char *key);
/* Options of a device as a full reference, or NULL. */
GVariant *devices_get(GVariant *devices, const char *name);
/* ERROR_INVALID_ARGS when a key is there twice. */
int config_check_unique(GVariant *config, const char *what, Error *ret_error);
