/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `config metadata` and `config template`: what the image of a container said of itself. */

#include "client/client.h"

extern const Command metadata_commands[];
extern const Command template_commands[];
