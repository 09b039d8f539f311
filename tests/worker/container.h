/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A busybox container in a temporary directory, for tests of the runtime worker. It needs root and
 * busybox-static; everything it makes is gone after container_free().
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

#include "tests/worker/worker-client.h"

#define CONTAINER_ID_BASE 1700000000U

typedef struct Container {
        char *name;
        char *directory; /* the temporary directory */
        char *rootfs;
        char *lxc_path;  /* of the present start */
        char *log_file, *console_log;
        pid_t init, monitor;
        int init_pidfd, monitor_pidfd; /* -EBADF while it does not run */
} Container;

typedef struct Exec {
        const char *cwd, *user, *group; /* "" by default */
        const char *const *environment;
        const char *input;              /* what the program reads; none by default */
} Exec;

typedef struct ExecResult {
        int status;       /* -1 when the worker reports an error */
        char *out, *err;  /* what the program wrote */
        char *error;      /* the error's message, or "exec-error" */
        char *error_name;
} ExecResult;

/* NULL, and the test is skipped, where containers can't be made. */
Container *container_new(void);
/* Kills what runs of it. */
Container *container_free(Container *c);

/* The worker's executable. */
const char *container_worker(void);
/* Arguments of a start; the caller may change them before. */
GVariantDict *container_start_args(Container *c);
/* Starts with these arguments (taken over), and keeps what the result says of it. */
WorkerMessage container_start_with(Container *c, GVariantDict *args);
/* Starts and asserts that it worked. */
void container_start(Container *c);
/* Runs one of the operations that only name the container. */
WorkerMessage container_run(Container *c, const char *operation);
void container_clean(Container *c);
/* Waits until the process behind the pidfd has ended; fails after ten seconds. */
void container_await_end(int pidfd);
/* The reason in the target file. */
char *container_target(Container *c);
/* Whether any group of it is there. */
bool container_has_groups(Container *c);

/* Arguments of OPERATION_EXEC. */
GVariant *container_exec_args(Container *c, const Exec *exec, const char *const *argv,
                              bool terminal);
ExecResult container_exec_with(Container *c, const Exec *exec, const char *const *argv);
/* Runs a shell command line. */
ExecResult container_shell(Container *c, const char *command);
void exec_result_clear(ExecResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Container, container_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExecResult, exec_result_clear)
