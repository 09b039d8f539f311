/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The time while a program runs in a container: signals and window sizes come on the worker's
 * channel, SIGTERM ends the program.
 */

#include "service/util/error.h"
#include "service/worker/worker.h"

/* Stays until the program ends. `slave` is the terminal's, for window sizes, or -EBADF. The exit
 * status is as a shell tells it: 128 + N after signal N. */
int exec_session_run(Worker *worker, int child_pidfd, int slave, int *ret_exit_status,
                     Error *ret_error);
/* Kills the program and all processes of its session, and reaps it. */
void exec_session_kill(int child_pidfd);
