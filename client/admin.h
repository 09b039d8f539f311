/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The verbs of `berth admin`, which is to berth what the program lxd is to LXD. */

#include "client/client.h"

int admin_init(Client *c, Error *ret_error);
int admin_check(Client *c, Error *ret_error);
int admin_recover(Client *c, Error *ret_error);
