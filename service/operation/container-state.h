/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a running container uses, as the kernel counts it, and what its interfaces are: see
 * Container.GetState(). Reads files of cgroupfs and procfs of the host and asks the kernel by
 * netlink, which does not block. */

#include "service/operation/manager.h"

/* a{sv}, floating; empty when it does not run. */
GVariant *container_read_state(Manager *m, const Container *c);
