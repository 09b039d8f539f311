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
/* The same for when all that its init starts has been started. systemd and OpenRC are asked,
 * inside; no other init can say it: then it is ready when it runs and has an address, if it has a
 * nic at all. cloud-init is waited for where it is. What failed to start inside is a warning of the
 * job's, which succeeds. */
int container_wait_ready(Manager *m, Caller caller, Container *c, uint64_t timeout_usec, Job **ret,
                         Error *ret_error);
/* The container has changed. */
void container_wait_changed(Manager *m, const Container *c);
