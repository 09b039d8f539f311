/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/export.h"

#include "service/util/cleanup.h"
#include "service/worker/image/archive-file.h"
#include "service/worker/image/transfer.h"

int image_export(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(ArchiveFile) archive = NULL;
        _cleanup_close_ int to = -EBADF, archive_fd = -EBADF;
        int r;

        to = transfer_open(worker_take_fd(worker, 0), TRANSFER_WRITE, ret_error);
        if (to < 0)
                return to;
        r = archive_file_find(worker, "archive", &archive, ret_error);
        if (r >= 0)
                r = archive_file_open(archive, &archive_fd, ret_error);
        return r < 0 ? r : transfer_out(worker, archive_fd, to, ret_error);
}
