/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "service/model/config-value.h"

int archive_check_stream(int fd, int mode, const char *what, Error *ret_error) {
        int flags = fcntl(fd, F_GETFL);
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot look at the fd of the archive");
        if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
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
