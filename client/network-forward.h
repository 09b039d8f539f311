/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `network forward`: addresses of the host that lead to containers. */

#include "client/client.h"

extern const Command network_forward_commands[];
