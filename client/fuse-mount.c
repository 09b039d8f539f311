/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fuse-mount.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define COMM_FD 3

void mount_guard_done(MountGuard *guard) {
        guard->pipe = fd_close(guard->pipe);
        while (guard->pid > 0 && waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        guard->pid = -1;
}

G_GNUC_NORETURN static void stand_guard(int pipe, const char *target) {
        ssize_t n;
        char byte;

        /* Keys of the terminal are not for it, and it keeps no directory busy. */
        (void) setsid();
        if (chdir("/") < 0)
                _exit(EXIT_FAILURE);
        do
                n = read(pipe, &byte, sizeof(byte));
        while (n < 0 && errno == EINTR);
        if (n == 0)
                (void) execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", target, NULL);
        _exit(n > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

int mount_guard_start(MountGuard *guard, const char *target, Error *ret_error) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        guard->pid = fork();
        if (guard->pid == 0) {
                fd_close(ends[1]);
                stand_guard(ends[0], target);
        }
        fd_close(ends[0]);
        guard->pipe = ends[1];
        return guard->pid < 0 ? error_set_errno(ret_error, errno, "Cannot make a process") : 0;
}

void mount_guard_dismiss(MountGuard *guard) {
        (void) fd_write_all(guard->pipe, "", 1);
}

static int spawn(const char *options, const char *target, int socket, pid_t *ret,
                 Error *ret_error) {
        char *const argv[] = {
                (char *) "fusermount3", (char *) "-o", (char *) options, (char *) "--",
                (char *) target, NULL,
        };
        g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "_FUSE_COMMFD",
                                                     G_STRINGIFY(COMM_FD), TRUE);
        posix_spawn_file_actions_t actions;
        int r;

        (void) posix_spawn_file_actions_init(&actions);
        /* Onto itself, that takes close-on-exec away. */
        r = posix_spawn_file_actions_adddup2(&actions, socket, COMM_FD);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, argv, environment);
        (void) posix_spawn_file_actions_destroy(&actions);
        if (r == ENOENT)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Mounting needs fusermount3; install the package fuse3");
        return r > 0 ? error_set_errno(ret_error, r, "Cannot run fusermount3") : 0;
}

int fuse_mount(const char *name, const char *target, int *ret_fd, Error *ret_error) {
        /* What has a meaning in a list of options is in no name anyway. */
        g_autofree char *safe = g_strdelimit(g_strdup(name), ",\\", '_');
        g_autofree char *options = g_strconcat("nosuid,nodev,subtype=berth,fsname=berth:", safe,
                                               NULL);
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF, fd = -EBADF;
        size_t n_fds = 1;
        int sockets[2], r;
        pid_t pid;
        char byte;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket");
        ours = sockets[0];
        theirs = sockets[1];
        r = spawn(options, target, theirs, &pid, ret_error);
        theirs = fd_close(theirs);
        if (r < 0)
                return r;
        r = (int) fd_receive(ours, &byte, sizeof(byte), &fd, &n_fds);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        if (r <= 0 || fd < 0)
                return error_set(ret_error, ERROR_FAILED, /* it has said why */
                                 "fusermount3 could not mount on '%s'", target);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
