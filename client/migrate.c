/* SPDX-License-Identifier: Apache-2.0 */
#include "client/migrate.h"

#include <errno.h>

#include "client/commands.h"

static const char *const modes[] = {
        [MIGRATE_RUNNING] = "running",
        [MIGRATE_SAVED] = "saved",
        [MIGRATE_STOPPED] = "stopped",
};
G_STATIC_ASSERT(G_N_ELEMENTS(modes) == _MIGRATE_MODE_MAX);

const char *migrate_mode_to_string(MigrateMode mode) {
        return modes[mode];
}

MigrateMode migrate_mode_from_string(const char *text) {
        for (MigrateMode mode = 0; mode < _MIGRATE_MODE_MAX; mode++)
                if (g_str_equal(modes[mode], text))
                        return mode;
        return _MIGRATE_MODE_INVALID;
}

static const Option send_options[] = {
        { "instance-only", 0, NULL, "Without the snapshots", NULL },
        { NULL },
};

static const Option receive_options[] = {
        { "storage", 's', "POOL", "Put its root disk on this storage pool", NULL },
        { NULL },
};

const Command migrate_commands[] = {
        { "receive", NULL, "[<container>]",
          "Take in a container from standard input, and answer on standard output",
          receive_options, "-", 0, 1, .run = run_migrate_receive },
        { "send", NULL, "<container> [--] [<program> [<argument>...]]",
          "Move a container, with its processes where it runs, to what the program leads to",
          send_options, "c-", 1, -1, 1, .run = run_migrate_send },
        { NULL },
};
