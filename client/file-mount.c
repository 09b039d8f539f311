/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A container's files as a file system of this machine. The mount is made with the user's own
 * rights: fusermount3 mounts, and gives the fd through which the kernel asks for files; the service
 * answers there. Nothing is left behind, even when we are killed.
 */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/file.h"
#include "client/format.h"
#include "client/job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define COMM_FD 3

#define NO_SFTP \
        "there is no SFTP server; mount the files with 'berth file mount <container> <target>'"

const Option file_mount_options[] = {
        { "auth-user", 0, "USER", NULL, NO_SFTP },
        { "listen", 0, "ADDRESS", NULL, NO_SFTP },
        { "no-auth", 0, NULL, NULL, NO_SFTP },
        { NULL },
};

/* A process that unmounts when we end, however we end: an own one, since that of fusermount3
 * (auto_unmount) does not work for a mount that is its user's alone. */
typedef struct Guard {
        pid_t pid;
        int pipe;
} Guard;

#define GUARD_INIT ((Guard) { .pid = -1, .pipe = -EBADF })

/* Returns once nothing is mounted any more. */
static void guard_done(Guard *guard) {
        guard->pipe = fd_close(guard->pipe);
        while (guard->pid > 0 && waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        guard->pid = -1;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Guard, guard_done)

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

/* Before there is a connection or a mount, of which it would have a copy. */
static int guard_start(Guard *guard, const char *target, Error *ret_error) {
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

/* There is nothing (of ours) to unmount. */
static void guard_dismiss(Guard *guard) {
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

/* Mounts, and gives the fd to serve. */
static int mount_on(const char *container, const char *target, int *ret_fd, Error *ret_error) {
        g_autofree char *options = g_strconcat("nosuid,nodev,subtype=berth,fsname=berth:",
                                               container, NULL);
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

/* The container alone stands for all of it. */
static int parse_source(const char *argument, FilePlace *ret, Error *ret_error) {
        g_autofree char *whole = strchr(argument, '/') ? g_strdup(argument)
                                                       : g_strconcat(argument, "/", NULL);

        return file_place_parse(whole, ret, ret_error);
}

/* Returns 1 when it was unmounted, 0 when it was to end. */
static int serve(Client *c, const FilePlace *source, const char *target, int fd,
                 Error *ret_error) {
        _cleanup_close_ int fuse_fd = fd;
        g_autofree char *shown = format_printable(target);
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_start(c, OBJECT_CONTAINER, source->container, "MountFiles",
                      g_variant_new("(sh@a{sv})", source->path, fuse_fd,
                                    g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                      &job, ret_error);
        /* The service's is the only one: the mount is dead as soon as nobody serves it. */
        fuse_fd = fd_close(fuse_fd);
        if (r < 0)
                return r;
        if (!c->quiet)
                fprintf(stderr, "%s is mounted on %s until Ctrl+C or 'fusermount3 -u'\n",
                        client_argument(c, 0), shown);
        r = job_wait(job, &error);
        /* That was what to wait for. */
        if (r < 0 && error.code == ERROR_CANCELLED)
                return 0;
        error_move(ret_error, &error);
        return r < 0 ? r : 1;
}

/* Absolute, so that it is the same for everybody. */
static int find_target(const char *argument, char **ret, Error *ret_error) {
        g_autofree char *target = realpath(argument, NULL), *shown = format_printable(argument);
        struct stat st;

        if (!target || stat(target, &st) < 0 || !S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' is no directory to mount on", shown);
        *ret = TAKE_PTR(target);
        return 0;
}

int run_file_mount(Client *c, Error *ret_error) {
        g_autofree char *name = g_strndup(client_argument(c, 0),
                                          strcspn(client_argument(c, 0), "/"));
        g_autofree char *target = NULL;
        g_auto(FilePlace) source = { 0 };
        g_auto(Guard) guard = GUARD_INIT;
        int fd = -EBADF, r;

        if (client_n_arguments(c) < 2)
                return client_usage_error(ret_error, "No directory to mount on was given; there is "
                                                     "no SFTP server that would do without");
        r = parse_source(client_argument(c, 0), &source, ret_error);
        if (r >= 0)
                r = find_target(client_argument(c, 1), &target, ret_error);
        if (r >= 0)
                r = guard_start(&guard, target, ret_error);
        if (r < 0)
                return r;
        /* What has a meaning in a list of options is in no name anyway. */
        (void) g_strdelimit(name, ",\\", '_');
        r = mount_on(name, target, &fd, ret_error);
        if (r >= 0)
                r = serve(c, &source, target, fd, ret_error);
        else
                guard_dismiss(&guard);
        /* The user himself has unmounted it. */
        if (r > 0)
                guard_dismiss(&guard);
        return r < 0 ? r : 0;
}
