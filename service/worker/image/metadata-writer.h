/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The metadata.yaml of an image that is made here, as metadata.h reads it again. */

#include <glib.h>

#include "service/util/error.h"

/* Template number N is the file METADATA_TEMPLATE_PREFIX "N.tpl". */
#define METADATA_TEMPLATE_PREFIX "template"

/* `args` a{sv}: "architecture", "created", "expires", "properties", "templates" as the worker's
 * request has them. */
int metadata_write(GVariant *args, GBytes **ret, Error *ret_error);
