/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a program of the system to its end: found in the fixed directories of the system, no shell,
 * an empty environment but for LC_ALL=C, no fds but the one that it is to work on, if any. It dies
 * with this process and with the operation's cancellation.
 */

#include "service/util/error.h"

/* The fd under which the program finds what it is to work on. */
#define PROGRAM_FD 3
#define PROGRAM_FD_PATH "/proc/self/fd/3"

/* 0 if it exits with 0; else the last line that it wrote is part of the error. argv[0] is the name
 * of a program of the system's, or the path of one of ours; `fd` may be -EBADF. */
int program_run(const char *const *argv, int fd, Error *ret_error);
