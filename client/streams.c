/* SPDX-License-Identifier: Apache-2.0 */
#include "client/streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

static bool stream_passes_as_is(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return false;
        if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
                return true;
        /* /dev/null: character device 1:3 */
        return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int stream_open_pipe(int fd, StreamDirection direction, Relay *relay, int *ret_fd,
                     Error *ret_error) {
        _cleanup_close_ int theirs = -EBADF, ours = -EBADF;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        theirs = direction == STREAM_INPUT ? fds[0] : fds[1];
        ours = direction == STREAM_INPUT ? fds[1] : fds[0];
        r = fd_set_nonblock(ours, true);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot set up a pipe");
        if (direction == STREAM_INPUT)
                relay_add(relay, fd, false, TAKE_FD(ours), true);
        else
                relay_add(relay, TAKE_FD(ours), true, fd, false);
        *ret_fd = TAKE_FD(theirs);
        return 0;
}

int stream_open(int fd, StreamDirection direction, Relay *relay, int *ret_fd, Error *ret_error) {
        if (!stream_passes_as_is(fd))
                return stream_open_pipe(fd, direction, relay, ret_fd, ret_error);
        *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? error_set_errno(ret_error, errno, "Cannot copy an fd") : 0;
}
