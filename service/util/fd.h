/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Work on file descriptors that are already open: whole reads and writes, memfds, pidfds, fd
 * passing over SOCK_SEQPACKET. All functions return 0 or a positive count, or -errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

/* Writes all of it, whatever the kernel takes at a time. */
int fd_write_all(int fd, const void *data, size_t size);
/* Reads to the end of file; -E2BIG when there are more than `max` bytes. */
int fd_read_all(int fd, size_t max, GBytes **ret);
/* The same as a string, "" when there is nothing; -EBADMSG when a NUL is in it. */
int fd_read_text(int fd, size_t max, char **ret);
/* Copies `in` to `out` to the end of file; *ret_size is what was copied. Uses reflinks where the
 * filesystems can (copy_file_range). */
int fd_copy(int in, int out, uint64_t *ret_size);

/* A sealed memfd that holds `bytes`, positioned at 0. Returns the fd. */
int fd_new_memfd(const char *name, GBytes *bytes);

int fd_set_cloexec(int fd, bool cloexec);
int fd_set_nonblock(int fd, bool nonblock);

/* One message with up to FD_PASS_MAX fds over a SOCK_SEQPACKET socket. */
#define FD_PASS_MAX 16
int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds);
/* Receives one message of at most `size` bytes and *n_fds fds, all CLOEXEC. Returns the number of
 * bytes, 0 at end of file; -EMSGSIZE for one that does not fit, or has more fds (they are closed).
 * Without `fds` there may be none. */
ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *n_fds);

/* How many fds this process and those that it starts may open: as many as can be had, or as many
 * as programs expect, some of which keep fds in sets of just that size. */
void fd_limit_raise(void);
void fd_limit_usual(void);

int fd_pidfd_open(pid_t pid);
int fd_pidfd_send_signal(int pidfd, int signal);
/* The pid behind a pidfd (from /proc/self/fdinfo); -ESRCH when the process has gone. */
int fd_pidfd_get_pid(int pidfd, pid_t *ret);
/* Whether the process has ended, reaped or not. */
bool fd_pidfd_has_ended(int pidfd);
