/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is checked of archives of images and containers before a worker reads or writes them. */

#include "service/util/error.h"

/* A client's fd: a regular file or a pipe, open for that (O_RDONLY, O_WRONLY; `what` says it). */
int archive_check_stream(int fd, int mode, const char *what, Error *ret_error);
int archive_check_compression(const char *name, Error *ret_error);
