/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/worker/forward/forward.h"

/* Enters the namespaces of the spec, becomes who it says, and gives up all capabilities and most
 * system calls, for good. 0 or -errno; *ret_what says at what. */
int sandbox_enter(const ForwardSpec *spec, const char **ret_what);
