/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is checked of archives of images, containers and volumes before a worker reads or writes
 * them, and what berthd says to one that reads. */

#include "service/operation/job.h"
#include "service/util/error.h"

/* A client's fd: a regular file or a pipe, open for that (O_RDONLY, O_WRONLY; `what` says it). */
int archive_check_stream(int fd, int mode, const char *what, Error *ret_error);
/* For the events of a worker that reads an archive (job->on_worker_event): takes its index, an
 * a{sv} in a file in memory, into *index, once, and lets the job consider it. Where either fails
 * the worker is refused; `unusable` says so where nothing else does. */
void archive_take_index(Job *job, const int *fds, size_t n_fds, GVariant **index,
                        int (*consider)(Job *job, Error *ret_error), const char *unusable);
/* Tells the job's worker that what the index says is not welcome. */
void archive_refuse(Job *job, const Error *error);
int archive_check_compression(const char *name, Error *ret_error);
