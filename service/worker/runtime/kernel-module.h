/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Modules of the host's kernel that a container wants to be there (linux.kernel_modules), which an
 * administrator has to have granted. */

#include <glib.h>

#include "service/util/error.h"

/* Loads those that are not there, by modprobe(8). `config` is a{ss}, expanded. */
int kernel_modules_load(GVariant *config, Error *ret_error);
