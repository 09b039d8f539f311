/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is checked of archives of images, containers and volumes before a worker reads or writes
 * them, and what berthd says to one that reads. */

#include "service/operation/job.h"
#include "service/util/error.h"

/* A client's fd: a regular file or a pipe, open for that (O_RDONLY, O_WRONLY; `what` says it). */
int archive_check_stream(int fd, int mode, const char *what, Error *ret_error);
/* The index that a worker gives as a file in memory: an a{sv}. */
int archive_read_index(int fd, GVariant **ret, Error *ret_error);
/* Tells the job's worker that what the index says is not welcome. */
void archive_refuse(Job *job, const Error *error);
int archive_check_compression(const char *name, Error *ret_error);
