/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Images that come back from the copies of their records in a pool: part of rebuild.h. */

#include "service/operation/manager.h"

/* What a copy in `pool` says of an image whose files are there, as far as it can be believed.
 * ERROR_FAILED where it makes no sense. */
int rebuild_image(Manager *m, const char *pool, const char *name, GVariant *record, Image **ret,
                  Error *ret_error);
