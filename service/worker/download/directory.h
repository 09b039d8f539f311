/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA256SUMS of a directory of images, as sha256sum(1) writes it: "HASH  PATH" or "HASH *PATH" a
 * line. Each file with an ending of archives is an image of that name; others are passed over.
 */

#include "service/util/error.h"
#include "service/worker/download/list.h"

int directory_parse(const char *text, size_t size, List *list, Error *ret_error);
