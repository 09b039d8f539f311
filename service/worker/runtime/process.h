/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One process, held so that nothing read of it can be another's: by its pidfd, and by the
 * directory of /proc that was opened while that pidfd was alive. A number alone is never enough,
 * because the kernel gives it away again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/util/error.h"

typedef struct Process Process;
typedef struct IdMapLine IdMapLine;

struct Process {
        pid_t pid;
        int pidfd;
        int proc_fd; /* /proc/PID */
};

#define PROCESS_INIT ((Process) { .pidfd = -EBADF, .proc_fd = -EBADF })

/* A line of /proc/PID/uid_map or gid_map. */
struct IdMapLine {
        uint32_t inside;
        uint32_t outside;
        uint32_t count;
};

/* fork() into the cgroup of that directory (or, with -EBADF, into our own). `flags` are CLONE_*
 * beyond those. Returns the pid, 0 in the child; the pidfd is the parent's. */
pid_t process_fork(int cgroup_fd, uint64_t flags, int *ret_pidfd);
/* In a child that is to execute another program: default signal handlers, none blocked. */
void process_reset_signals(void);
/* Reaps a child; the status as wait() gives it. */
int process_reap(int pidfd, int *ret_status);
int process_write_oom_score_adj(int proc_fd, const char *value);

/* Takes the pidfd over; `pid` must be the process behind it. */
int process_open(int pidfd, pid_t pid, Process *ret);
int process_open_by_pid(pid_t pid, Process *ret);
void process_close(Process *process);

/* Reads a file below /proc/PID as text. */
int process_read(const Process *process, const char *name, char **ret);
bool process_is_alive(const Process *process);
/* The value of a field of /proc/PID/status, without blanks around it. */
int process_read_status(const Process *process, const char *field, char **ret);
int process_read_parent(const Process *process, pid_t *ret);
/* IdMapLine elements of "uid_map" or "gid_map". */
int process_read_idmap(const Process *process, const char *name, GArray **ret);

/* That this is the init of a container of ours: number 1 of its process namespace, in a user
 * namespace other than ours, with root inside mapped to uid_base and gid_base. */
int process_check_init(const Process *process, uint32_t uid_base, uint32_t gid_base,
                       Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Process, process_close)
