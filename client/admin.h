/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The verbs of `berth admin`, which is to berth what the program lxd is to LXD. */

#include "client/client.h"

int admin_init(Client *c, Error *ret_error);
int admin_check(Client *c, Error *ret_error);
int admin_recover(Client *c, Error *ret_error);

/* What this machine lacks of what `admin check` looks for. */
typedef void (*AdminMissingFunc)(const char *name, bool required, const char *without,
                                 const char *remedy, void *userdata);
void admin_for_each_missing(AdminMissingFunc func, void *userdata);
