/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount-handle.h"

#include "service/util/cleanup.h"

static Handle *find_unused(HandleTable *table) {
        for (size_t i = 0; i < HANDLES_MAX; i++)
                if (!table->handles[i].used)
                        return &table->handles[i];
        return NULL;
}

/* gcc loses sight of what is in the table. clang does not know the name. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
int handle_new(HandleTable *table, int fd, bool directory, uint64_t *ret) {
        _cleanup_close_ int given = fd;
        Handle *handle = find_unused(table);
        DIR *dir = NULL;

        if (!handle)
                return -ENFILE;
        if (directory) {
                dir = fdopendir(given);
                if (!dir)
                        return -errno;
        }
        *handle = (Handle) { .used = true, .fd = TAKE_FD(given), .dir = dir };
        *ret = (uint64_t) (handle - table->handles);
        return 0;
}
#pragma GCC diagnostic pop

Handle *handle_find(HandleTable *table, uint64_t id, bool directory) {
        Handle *handle = id < HANDLES_MAX ? &table->handles[id] : NULL;

        return handle && handle->used && !handle->dir == !directory ? handle : NULL;
}

void handle_free(Handle *handle) {
        if (handle->dir)
                (void) closedir(handle->dir);
        else
                fd_close(handle->fd);
        *handle = (Handle) { .fd = -EBADF };
}
