/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/identity.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/wait.h"

/* Everything but what a device node or another user's socket could be is fine to show. */
static int open_readable(const char *path) {
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
                /* O_PATH asks for no permission on the file itself. */
                int probe = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

                if (probe < 0)
                        return -errno;
                (void) close(probe);
        } else if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode))
                return -ENODEV;
        return TAKE_FD(fd);
}

G_GNUC_NORETURN static void open_in_child(int socket, DeviceSourceFunc func, void *userdata) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = fd = func(userdata);
        r = MIN(r, 0);
        (void) fd_send(socket, &r, sizeof(r), &fd, fd >= 0 ? 1 : 0);
        _exit(EXIT_SUCCESS);
}

int device_source_from_child(DeviceSourceFunc func, void *userdata) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF, pidfd = -EBADF, fd = -EBADF;
        struct pollfd p = { .events = POLLIN };
        int pair[2], r, result;
        size_t n_fds = 1;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        pid = process_fork(-EBADF, 0, &pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0)
                open_in_child(theirs, func, userdata);

        theirs = fd_close(theirs);
        p.fd = ours;
        r = wait_poll(&p, 1, WAIT_FOREVER);
        if (r < 0)
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        else
                r = fd_receive(ours, &result, sizeof(result), &fd, &n_fds) == sizeof(result)
                            ? result : -EPIPE;
        (void) process_reap(pidfd, &result);
        if (r < 0)
                return r;
        return fd < 0 ? -EPIPE : TAKE_FD(fd);
}

/* --- as the owner --- */

typedef struct Source {
        const char *path;
        Identity identity;
} Source;

static int open_as_owner(void *userdata) {
        const Source *source = userdata;
        int r = identity_become(&source->identity);

        return r < 0 ? r : open_readable(source->path);
}

int device_source_open(const char *path, uid_t owner) {
        g_auto(Identity) identity = { 0 };
        Source source = { .path = path };
        int r;

        if (owner == 0)
                return open_readable(path);
        r = identity_get(owner, &identity);
        if (r < 0)
                return r;
        source.identity = identity;
        /* A filesystem of the user's own (FUSE) may never answer: then the job is cancelled. */
        return device_source_from_child(open_as_owner, &source);
}
