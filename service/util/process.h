/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Processes: to make one, and what /proc tells of one. What reads returns 0 or -errno (-ESRCH:
 * there is none). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* fork() into the cgroup of that directory (or, with -EBADF, into our own). `flags` are CLONE_*
 * beyond those. Returns the pid, 0 in the child; the pidfd is the parent's. */
pid_t process_fork(int cgroup_fd, uint64_t flags, int *ret_pidfd);
/* Waits until a child has ended and reaps it; the status as wait() gives it. A process that traces
 * it and takes no notice of its end is killed. */
int process_reap(int pidfd, int *ret_status);

/* When it started, in clock ticks since boot: with the pid, an identity that is never reused. */
int process_get_start_time(pid_t pid, uint64_t *ret);
/* Opens its network namespace. Returns the fd. */
int process_open_netns(pid_t pid);
/* Whether its user namespace is ours. */
int process_shares_userns(pid_t pid, bool *ret);
/* A file of its directory in /proc, as text. */
int process_read_file(pid_t pid, const char *file, char **ret);
/* Whether it blocks or catches a signal. */
int process_handles_signal(pid_t pid, int signal, bool *ret);
