/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a running container uses, as the kernel counts it: see Container.GetState(). Reads files of
 * cgroupfs and procfs of the host, which do not block. */

#include "service/model/container.h"

/* a{sv}, floating; empty when it does not run. */
GVariant *container_read_state(const Container *c);
