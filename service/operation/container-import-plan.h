/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an imported container is to be, from the index of its archive. Nothing of that is believed:
 * names, keys, values, devices and profiles are checked like those of a call, and what the service
 * keeps for itself ("volatile.*") is left behind, but for the image that the container came from
 * and Ethernet addresses that nobody else has.
 */

#include "service/operation/manager.h"

typedef struct ImportPlan {
        uid_t owner;
        char *name;
        bool renamed;        /* it is called otherwise in the archive */
        char *description, *architecture, *image, *pool;
        bool ephemeral;
        uint64_t created;
        char **profiles;
        GVariant *config, *devices;
        GPtrArray *snapshots; /* Snapshot */
        GPtrArray *warnings;  /* sentences */
        PrivilegeChange needed;
} ImportPlan;

/* `index`: "container" a{sv} and "snapshots" aa{sv} as in service/worker/image/container-index.h.
 * `name` "" for that in the index, `pool` NULL for that of its root disk. */
int import_plan_read(Manager *m, uid_t owner, GVariant *index, const char *name, const char *pool,
                     ImportPlan *ret, Error *ret_error);
/* The container with its snapshots, incomplete, not in the table yet; takes out of the plan what it
 * needs. */
int import_plan_make_container(Manager *m, ImportPlan *plan, Container **ret, Error *ret_error);
void import_plan_done(ImportPlan *plan);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImportPlan, import_plan_done)
