/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a program of the system to its end: found in the fixed directories of the system, no shell,
 * an empty environment but for LC_ALL=C, no fds but the one that it is to work on, if any. It dies
 * with this process and with the operation's cancellation.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* The fd under which the program finds what it is to work on. */
#define PROGRAM_FD 3
#define PROGRAM_FD_PATH "/proc/self/fd/3"

/* 0 if it exits with 0; else the last line that it wrote is part of the error. argv[0] is the name
 * of a program of the system's, or the path of one of ours; `fd` may be -EBADF. */
int program_run(const char *const *argv, int fd, Error *ret_error);
/* The same, but any status that it exits with is no error. */
int program_run_status(const char *const *argv, int *ret_status, Error *ret_error);
/* The same, and what it wrote to its standard output: text, without zeroes. */
int program_read(const char *const *argv, char **ret, Error *ret_error);
bool program_is_installed(const char *name);
