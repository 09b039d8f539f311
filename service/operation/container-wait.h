/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Waiting until a container is as far as one wants it, without asking again and again. */

#include "service/operation/container.h"

typedef enum WaitWhat {
        WAIT_RUNNING, /* its init runs */
        WAIT_IP,      /* and it has an address that others can reach */
        WAIT_STOPPED,
        _WAIT_WHAT_MAX,
} WaitWhat;

/* "running", "ip", "stopped"; -EINVAL for others. */
int wait_what_from_string(const char *word);
/* A job that ends when it is so; with ERROR_NOT_RUNNING where it stops (or has) instead. timeout 0:
 * none. */
int container_wait(Manager *m, Caller caller, Container *c, WaitWhat what, uint64_t timeout_usec,
                   Job **ret, Error *ret_error);
/* The container has changed. */
void container_wait_changed(Manager *m, const Container *c);
