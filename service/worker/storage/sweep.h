/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Removing volumes by the dozen: what earlier workers left unfinished, and everything when a pool
 * is deleted. `root_fd` is the pool's root directory. Both return 0 or -errno.
 */

#include "service/worker/storage/driver.h"

/* Removes the volumes that were never finished, or whose deletion was not. Not while another
 * worker has the pool open: what is unfinished may be its work. Those of a service that was killed
 * are waited for a little: they are dying, and what they leave is there when they are gone. What
 * volume_replace() has put aside of `kept` ("DIRECTORY/NAME") stays. */
int sweep_unfinished(const PoolDriver *driver, int root_fd, const char *const *kept);
/* Removes all volumes in one directory. */
int sweep_volumes(const PoolDriver *driver, int fd);
/* Removes all volumes and the directories that hold them. Anything else in the root directory
 * stays. */
int sweep_all(const PoolDriver *driver, int root_fd);
