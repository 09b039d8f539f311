/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/still.h"

#include "service/util/cleanup.h"
#include "service/worker/storage/driver.h"

#define STILL_NAME "0000000000000000000000000000000000000000000000000000000000000000"

static char *still_name(const char *container) {
        return g_strconcat(container, "/", STILL_NAME, NULL);
}

bool still_is_possible(const Pool *pool) {
        return pool->driver->clone_at_once != NULL;
}

int still_take(Pool *pool, const char *container, int *ret_fd, Error *ret_error) {
        g_autofree char *name = still_name(container);

        return volume_clone_begin(pool, VOLUME_CONTAINER, container, VOLUME_SNAPSHOT, name, ret_fd,
                                  ret_error);
}

void still_drop(Pool *pool, const char *container) {
        g_autofree char *name = still_name(container);

        (void) volume_delete(pool, VOLUME_SNAPSHOT, name, NULL);
}
