/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What sending and receiving a container have in common; how they talk is in frame.h. */

#include "client/client.h"
#include "client/frame.h"

/* What becomes of it at the other side. */
typedef enum MigrateMode {
        MIGRATE_RUNNING, /* its processes go on */
        MIGRATE_SAVED,   /* it is stopped, and its state comes with it */
        MIGRATE_STOPPED,
        _MIGRATE_MODE_MAX,
        _MIGRATE_MODE_INVALID = -EINVAL,
} MigrateMode;

#define MIGRATE_VERSION "1"

const char *migrate_mode_to_string(MigrateMode mode);
MigrateMode migrate_mode_from_string(const char *text);

int run_migrate_send(Client *c, Error *ret_error);
int run_migrate_receive(Client *c, Error *ret_error);
