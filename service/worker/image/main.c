/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berth-worker-image: brings image archives in and out. All that looks at what is in an archive
 * runs in a jail (jail.h).
 */

#include <locale.h>

#include "service/worker/image/container-archive.h"
#include "service/worker/image/export.h"
#include "service/worker/image/import.h"
#include "service/worker/image/publish.h"
#include "service/worker/operations.h"
#include "service/worker/worker.h"

static const WorkerOperation operations[] = {
        { OPERATION_IMAGE_IMPORT, image_import },
        { OPERATION_IMAGE_UNPACK, image_unpack },
        { OPERATION_IMAGE_EXPORT, image_export },
        { OPERATION_IMAGE_PUBLISH, image_publish },
        { OPERATION_CONTAINER_EXPORT, container_export },
        { OPERATION_CONTAINER_IMPORT, container_import },
        { OPERATION_VOLUME_EXPORT, volume_export },
        { OPERATION_VOLUME_IMPORT, volume_import },
        { OPERATION_STATE_EXPORT, state_export },
        { OPERATION_STATE_IMPORT, state_import },
        { NULL },
};

int main(void) {
        /* libarchive turns names into the locale's encoding; in this one they stay as they are. */
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        return worker_main(operations);
}
