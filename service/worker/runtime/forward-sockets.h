/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The sockets that a proxy device listens on: on the host, as root; or inside, in the container's
 * network namespace, and where they have a path, made by its root in its own mount namespace.
 */

#include <stdbool.h>

#include "service/model/proxy.h"
#include "service/worker/forward/forward.h"
#include "service/worker/runtime/process.h"

/* Who may use the socket at a path; ids as they are where it lies. */
typedef struct ForwardSocketOwner {
        uid_t uid;
        gid_t gid;
        mode_t mode;
} ForwardSocketOwner;

/* The kernel's form of an address; `port` 0 for a Unix socket. */
void forward_target_fill(const ProxyAddress *address, uint16_t port, ForwardTarget *ret);
/* One socket for each port, appended to `fds` (int). 0 or -errno; what was appended stays the
 * caller's. -EADDRINUSE: somebody else is there. */
int forward_sockets_open(const ProxyAddress *address, bool inside, const Process *init,
                         const ForwardSocketOwner *owner, GArray *fds);
/* Removes the socket at a path, if one is there that nobody listens on. */
int forward_sockets_remove(const ProxyAddress *address, bool inside, const Process *init);
