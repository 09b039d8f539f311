/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How much of one user's may be coming in at the same time. His files in our own directory begin
 * with the same letters; each is as long as what its worker has claimed for it before that is
 * written, so that the files themselves are the account: nothing is forgotten when somebody is
 * killed, and nothing stays counted that is gone.
 */

#include <stdint.h>

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct Spool {
        const char *prefix; /* of the names, the worker's; NULL: there is no bound */
        uint64_t max;       /* bytes of all of them together */
        int dir_fd;         /* borrowed */
} Spool;

/* What the worker's arguments "spool-prefix" and "spool-max" say, which may be missing. */
int spool_read(Worker *worker, int dir_fd, Spool *ret, Error *ret_error);
/* Makes the file `size` bytes long, of which it may have written some: ERROR_LIMITS_EXCEEDED where
 * all files together would be too long then. */
int spool_claim(const Spool *spool, int fd, uint64_t size, Error *ret_error);
/* What is to be claimed where no more is known than that there are more than `size` bytes. */
uint64_t spool_next(uint64_t size);
