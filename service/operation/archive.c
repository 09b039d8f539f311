/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/operation/manager.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/protocol.h"

int archive_check_stream(int fd, int mode, const char *what, Error *ret_error) {
        int flags = fcntl(fd, F_GETFL);
        struct statx st;

        /* What the kernel knows already: a filesystem whose server is a user's may never answer. */
        if (flags < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at the fd of the archive");
        if (!S_ISREG(st.stx_mode) && !S_ISFIFO(st.stx_mode))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The archive must be a regular file or a pipe");
        if ((flags & O_PATH) || ((flags & O_ACCMODE) != mode && (flags & O_ACCMODE) != O_RDWR))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The archive is not open for %s",
                                 what);
        return 0;
}

int archive_check_compression(const char *name, Error *ret_error) {
        g_auto(Error) error = ERROR_INIT;

        if (config_check_compression(name, &error) < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "%s", error.message);
        return 0;
}

/* A file in memory, by the worker's word. */
static int read_index(int fd, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) index = NULL;
        g_autoptr(GBytes) bytes = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
                return error_set(ret_error, ERROR_FAILED, "The worker gave no index");
        r = fd_read_all(fd, PROTOCOL_REQUEST_MAX, &bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the index");
        index = g_variant_ref_sink(
                g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
        if (!g_variant_is_normal_form(index))
                return error_set(ret_error, ERROR_FAILED, "The worker's index makes no sense");
        *ret = TAKE_PTR(index);
        return 0;
}

void archive_refuse(Job *job, const Error *error) {
        GVariantDict content;

        g_variant_dict_init(&content, NULL);
        g_variant_dict_insert(&content, "name", "s", error_code_to_name(error->code));
        g_variant_dict_insert(&content, "message", "s", error->message);
        (void) worker_process_send(job->worker, "refuse", g_variant_dict_end(&content));
}

void archive_take_index(Job *job, const int *fds, size_t n_fds, GVariant **index,
                        int (*consider)(Job *job, Error *ret_error), const char *unusable) {
        g_auto(Error) error = ERROR_INIT;
        int r;

        if (*index || job->state != JOB_RUNNING)
                return;
        r = read_index(n_fds > 0 ? fds[0] : -EBADF, index, &error);
        if (r >= 0)
                r = consider(job, &error);
        if (r < 0) {
                (void) error_set_errno(&error, -r, "%s", unusable);
                archive_refuse(job, &error);
        }
}
