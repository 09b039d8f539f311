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

#include "service/model/idmap.h"
#include "service/util/error.h"
#include "service/util/process.h"

typedef struct Process Process;

struct Process {
        pid_t pid;
        int pidfd;
        int proc_fd; /* /proc/PID */
};

#define PROCESS_INIT ((Process) { .pidfd = -EBADF, .proc_fd = -EBADF })

/* In a child that is to execute another program: default signal handlers, none blocked. */
void process_reset_signals(void);
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
/* That its user namespace has that map; for one without lines, that it is ours. -EPERM: no. */
int process_check_idmap(const Process *process, const IdMap *map);
/* That this is the init of a container of ours: number 1 of its process namespace, of that map. */
int process_check_init(const Process *process, const IdMap *map, Error *ret_error);
/* setns() into these namespaces of its; where its user namespace is ours, that is left out. */
int process_enter(const Process *process, int namespaces);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Process, process_close)
