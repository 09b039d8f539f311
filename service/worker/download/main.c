/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berth-worker-download: asks image servers what they have, and fetches it.
 */

#include "service/worker/download/download.h"
#include "service/worker/operations.h"
#include "service/worker/worker.h"

static const WorkerOperation operations[] = {
        { OPERATION_DOWNLOAD_LIST, download_list },
        { OPERATION_DOWNLOAD_LOCATE, download_locate },
        { OPERATION_DOWNLOAD_FETCH, download_fetch },
        { NULL },
};

int main(void) {
        return worker_main(operations);
}
