/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A process that is not our child: found by a pid file, identified by what /proc says about it, and
 * held by a pidfd, so that it cannot be taken for another that got its number later.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

typedef struct DetachedProcess DetachedProcess;

struct DetachedProcess {
        pid_t pid;
        int pidfd;
        char *program;    /* what it executes, as /proc/PID/exe has it */
        char **arguments;
};

#define DETACHED_PROCESS_INIT ((DetachedProcess) { .pidfd = -EBADF })

/* Reads DIR/NAME. -ENOENT: no such file; -ESRCH: no such process, or the file holds no number. */
int detached_process_from_pid_file(int dir_fd, const char *name, DetachedProcess *ret);
/* Whether it executes the program at `path`: the file that is there or was before an upgrade. */
bool detached_process_runs(const DetachedProcess *process, const char *path);
/* Whether the file that it executes has been replaced or removed. */
bool detached_process_is_outdated(const DetachedProcess *process);
/* SIGTERM, and SIGKILL when that has not ended it within the time; awaits the end. */
int detached_process_end(DetachedProcess *process, int timeout_msec);
/* Awaits the exit of the process behind a pidfd; -ETIMEDOUT. */
int detached_process_await_exit(int pidfd, int timeout_msec);
void detached_process_clear(DetachedProcess *process);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DetachedProcess, detached_process_clear)
