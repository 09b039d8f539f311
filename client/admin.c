/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin.h"

#include "client/commands.h"
#include "client/job.h"

static const Option init_host_options[] = {
        { "auto", 0, NULL, "Ask nothing: a pool, a bridge and the default profile", NULL },
        { "minimal", 0, NULL, "The same with a pool in a directory", NULL },
        { "preseed", 0, NULL, "Take YAML from standard input, as 'lxd init --preseed' does", NULL },
        { "dump", 0, NULL, "Print what there is as YAML for --preseed", NULL },
        { "storage-backend", 0, "DRIVER", "With --auto: dir, btrfs or lvm", NULL },
        { "storage-create-device", 0, "DEVICE", "With --auto: put the pool on this device", NULL },
        { "storage-create-loop", 0, "GIB", "With --auto: size of the pool's file", NULL },
        { "storage-pool", 0, "NAME", "With --auto: name of the pool", NULL },
        { "network-address", 0, "ADDRESS", NULL, "berth is not available over the network" },
        { "network-port", 0, "PORT", NULL, "berth is not available over the network" },
        { "trust-password", 0, "PASSWORD", NULL, "berth is not available over the network" },
        { NULL },
};

static int admin_shutdown(Client *c, Error *ret_error) {
        return job_run(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "Shutdown",
                       g_variant_new("(a{sv})", NULL), ret_error);
}

const Command admin_commands[] = {
        { "check", NULL, "", "Look whether this machine has what containers need",
          client_list_options, "-", 0, 0, .run = admin_check },
        { "init", NULL, "", "Set up this machine for containers", init_host_options, "-", 0, 0,
          .run = admin_init },
        { "recover", NULL, "", "Bring back containers and volumes whose records were lost", NULL,
          "-", 0, 0, .run = admin_recover },
        { "shutdown", NULL, "", "Stop all containers in their order, as the host's shutdown does",
          NULL, "-", 0, 0, .run = admin_shutdown },
        { NULL },
};
