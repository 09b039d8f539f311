/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Still pictures of volumes that are in use, for reading them: taken at once where the pool's
 * driver can, under a name that no snapshot can have. Whoever is killed leaves one that is
 * unfinished, and swept as such.
 */

#include "service/worker/storage/storage.h"

bool still_is_possible(const Pool *pool);
int still_take(Pool *pool, const VolumeFamily *family, const char *name, int *ret_fd,
               Error *ret_error);
void still_drop(Pool *pool, const VolumeFamily *family, const char *name);
