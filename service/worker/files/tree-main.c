/* SPDX-License-Identifier: Apache-2.0 */

/* The worker for trees inside containers: apart from that for single files, which need not wait
 * for libarchive to be loaded. */

#include "service/worker/files/tree.h"
#include "service/worker/operations.h"

static const WorkerOperation operations[] = {
        { OPERATION_TREE_PULL, tree_pull },
        { OPERATION_TREE_PUSH, tree_push },
        {},
};

int main(void) {
        return worker_main(operations);
}
