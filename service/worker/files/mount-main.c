/* SPDX-License-Identifier: Apache-2.0 */

/* The worker for mounts: apart from those for files, which need not wait for libfuse to be
 * loaded. */

#include "service/worker/files/mount.h"
#include "service/worker/operations.h"

static const WorkerOperation operations[] = {
        { OPERATION_MOUNT, mount_serve },
        {},
};

int main(void) {
        return worker_main(operations);
}
