/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/storage/quota-project.h"
#include "service/worker/storage/tree.h"

/* Volumes are plain directories: any filesystem will do. */

static int dir_check(int fd) {
        return 0;
}

static int dir_create(int dir_fd, const char *name, uint64_t size, Error *ret_error) {
        return mkdirat(dir_fd, name, 0700) < 0 ? -errno : 0;
}

static int dir_clone(int source_fd, int dir_fd, const char *name, Error *ret_error) {
        _cleanup_close_ int target_fd = -EBADF;
        int r;

        r = dir_create(dir_fd, name, 0, ret_error);
        if (r < 0)
                return r;
        target_fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        if (target_fd < 0)
                return target_fd;
        return tree_copy(source_fd, target_fd, ret_error);
}

const PoolDriver pool_driver_dir = {
        .name = "dir",
        .check = dir_check,
        .create = dir_create,
        .clone = dir_clone,
        .remove = path_remove_tree,
        .set_size = quota_project_set,
        .get_size = quota_project_get,
};
