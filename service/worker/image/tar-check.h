/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sees to it that an archive means the same to everybody. Readers of tar make different things of
 * what no writer writes: of numbers that are none, of directories with content, of kinds, records
 * and orders of headers that they do not know. So somebody who looks at an archive before he
 * imports it could see other files than berth unpacks. Whatever GNU tar and libarchive are known to
 * read differently is refused here, before libarchive sees it.
 */

#include <stddef.h>

#include "service/util/error.h"

typedef struct TarCheck TarCheck;

TarCheck *tar_check_new(void);
TarCheck *tar_check_free(TarCheck *check);
/* Looks at the next piece of the unpacked archive. What comes after its end is not looked at. */
int tar_check_feed(TarCheck *check, const void *data, size_t size, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarCheck, tar_check_free)
