/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/still.h"

#include "service/util/cleanup.h"
#include "service/worker/storage/driver.h"

#define STILL_NAME "0000000000000000000000000000000000000000000000000000000000000000"

static char *still_name(const char *name) {
        return g_strconcat(name, "/", STILL_NAME, NULL);
}

bool still_is_possible(const Pool *pool) {
        return pool->driver->takes_pictures;
}

int still_take(Pool *pool, const VolumeFamily *family, const char *name, int *ret_fd,
               Error *ret_error) {
        g_autofree char *still = still_name(name);

        return volume_clone_begin(pool, family->kind, name, family->snapshots, still, ret_fd,
                                  ret_error);
}

void still_drop(Pool *pool, const VolumeFamily *family, const char *name) {
        g_autofree char *still = still_name(name);

        (void) volume_delete(pool, family->snapshots, still, NULL);
}
