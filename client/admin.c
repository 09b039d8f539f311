/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin.h"

#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"

#define SHUTDOWN_SECONDS_MAX (24U * 60 * 60)

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

static const Option shutdown_options[] = {
        { "force", 'f', NULL, "Kill them at once", NULL },
        { "timeout", 't', "SECONDS", "Kill those that have not ended by then", NULL },
        { NULL },
};

static int admin_shutdown(Client *c, Error *ret_error) {
        const char *timeout = client_option(c, "timeout");
        GVariantDict options;
        uint64_t seconds = 0;

        if (timeout && (parse_number(timeout, &seconds) < 0 || seconds > SHUTDOWN_SECONDS_MAX))
                return client_usage_error(ret_error, "'%s' is no number of seconds", timeout);
        g_variant_dict_init(&options, NULL);
        if (client_flag(c, "force") || (timeout && seconds == 0))
                g_variant_dict_insert(&options, "force", "b", TRUE);
        else if (timeout)
                g_variant_dict_insert(&options, "timeout", "t", seconds * G_USEC_PER_SEC);
        return job_run(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "Shutdown",
                       g_variant_new("(@a{sv})", g_variant_dict_end(&options)), ret_error);
}

/* The bus starts the service, which takes its name when it has seen to all that there is. */
static int admin_waitready(Client *c, Error *ret_error) {
        g_autoptr(Object) manager = NULL;

        return client_get_object(c, OBJECT_MANAGER, BERTH_ROOT_PATH, &manager, ret_error);
}

const Command admin_commands[] = {
        { "check", NULL, "", "Look whether this machine has what containers need",
          client_list_options, "-", 0, 0, .run = admin_check },
        { "init", NULL, "", "Set up this machine for containers", init_host_options, "-", 0, 0,
          .run = admin_init },
        { "recover", NULL, "", "Bring back containers and volumes whose records were lost", NULL,
          "-", 0, 0, .run = admin_recover },
        { "shutdown", NULL, "", "Stop all containers in their order, as the host's shutdown does",
          shutdown_options, "-", 0, 0, .run = admin_shutdown },
        { "waitready", NULL, "", "Wait until the service answers", NULL, "-", 0, 0,
          .run = admin_waitready },
        { NULL },
};
