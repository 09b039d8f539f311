/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Data between a caller's fd and a container's file. */

#include <stdint.h>

#include "service/worker/files/inside.h"

/* That a caller's fd is something to read data from (or, `write`, to write it to): a file, a pipe,
 * a socket or a device that is no terminal. */
int copy_check_fd(int fd, bool write, Error *ret_error);
/* Copies `in`, from where it stands to its end. Holes of a file stay holes where `out` is a file.
 * Tells progress; ends with ERROR_CANCELLED when the worker is told to. `path` is for messages. */
int copy_data(const Inside *inside, int in, int out, const char *path, uint64_t *ret_size,
              Error *ret_error);
