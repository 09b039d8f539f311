/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The metadata.yaml of an image that is made here, as metadata.h reads it again. */

#include <glib.h>

#include "service/util/error.h"


/* `args` a{sv}: "architecture", "created", "expires", "properties", "templates" as the worker's
 * request has them. */
int metadata_write(GVariant *args, GBytes **ret, Error *ret_error);
