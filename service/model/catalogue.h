/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an image server has, as the worker that asked it tells. A stranger wrote it: names, hashes
 * and paths are checked here before anything is done with them, and what is not as it should be is
 * no image.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

/* An array of images: fingerprint (SHA-256 of the archive, or of both one after the other),
 * aliases, architecture ("" where it is not known before the image has come), size of the archives
 * (0: not known), creation (µs since 1970, 0: not known), properties, and the one or two archives:
 * path below the server's URL, size, SHA-256 ("" where only that of both is known). */
#define CATALOGUE_IMAGE_TYPE ((const GVariantType *) "(sasstta{ss}a(sts))")
#define CATALOGUE_TYPE ((const GVariantType *) "a(sasstta{ss}a(sts))")

#define CATALOGUE_IMAGES_MAX 20000U
#define CATALOGUE_ALIASES_MAX 64U
#define CATALOGUE_MAX (16U << 20)

/* A relative path that means the same wherever it is put after a URL: components of letters,
 * digits and "._~+:,@%=-", none of them "." or "..". */
bool catalogue_path_is_valid(const char *path);

/* Of CATALOGUE_TYPE, in normal form. ERROR_INVALID_IMAGE. */
int catalogue_check(GVariant *catalogue, Error *ret_error);

/* The image with that alias, ALIAS/ARCHITECTURE, or fingerprint (or unique beginning of at least 12
 * digits of one), for that architecture. NULL for none; else a full reference. */
GVariant *catalogue_find(GVariant *catalogue, const char *name, const char *architecture);
