/* SPDX-License-Identifier: Apache-2.0 */

/* The worker for single files inside containers. */

#include "service/worker/files/entry.h"
#include "service/worker/files/templates.h"
#include "service/worker/files/transfer.h"
#include "service/worker/operations.h"

static const WorkerOperation operations[] = {
        { OPERATION_FILE_PULL, file_pull },
        { OPERATION_FILE_PUSH, file_push },
        { OPERATION_FILE_STAT, file_stat },
        { OPERATION_FILE_LIST, file_list },
        { OPERATION_FILE_MAKE_DIRECTORY, file_make_directory },
        { OPERATION_FILE_DELETE, file_delete },
        { OPERATION_FILE_TEMPLATES, file_templates },
        {},
};

int main(void) {
        return worker_main(operations);
}
