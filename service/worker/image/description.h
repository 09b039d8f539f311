/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is told about an image as keys of an a{sv}, the way it is in the result of image.import
 * (service/worker/operations.h): "architecture", "created", "expires", "properties", "templates",
 * "skipped-devices". The jail builds it; the worker does not believe a word of it before
 * image_description_check() has looked.
 */

#include <stdint.h>

#include <glib.h>

#include "service/model/image-template.h"
#include "service/util/error.h"
#include "service/worker/image/metadata.h"

#define IMAGE_PROPERTIES_TYPE "a{ss}"

/* `contents` has the GBytes of the files in templates/ by name. A template whose file is not there
 * or is not text is an error, and so are more words than IMAGE_DESCRIPTION_MAX. */
int image_description_build(const ImageMetadata *metadata, GHashTable *contents,
                            uint32_t skipped_devices, GVariantDict *dict, Error *ret_error);
/* Checks `untrusted`, an a{sv} in normal form, and adds what belongs there to `dict`. */
int image_description_check(GVariant *untrusted, GVariantDict *dict, Error *ret_error);
