/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bounds for processors and memory in one word, "c0.5-m2": half a processor, 2 GB. */

#include <glib.h>

#include "service/util/error.h"

/* Adds the keys that it stands for to `config` (char * -> char *), but for those that are there. */
int instance_type_add(const char *text, GHashTable *config, Error *ret_error);
