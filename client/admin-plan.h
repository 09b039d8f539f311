/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a host is to be set up with, for Manager.Initialize(): put together from the answers to
 * `admin init`, or read from LXD's preseed YAML; and the same YAML of what there is.
 */

#include "client/client.h"

typedef struct AdminPlan {
        GVariant *config;                       /* of the service, a{ss} */
        GPtrArray *pools, *networks, *profiles; /* of GVariant, a{sv} */
} AdminPlan;

AdminPlan *admin_plan_new(void);
void admin_plan_free(AdminPlan *plan);

/* A key of the service, which has none yet. */
void admin_plan_set_config(AdminPlan *plan, const char *key, const char *value);
/* `config` (a{ss}, NULL for an empty one) is consumed when floating. */
void admin_plan_add_pool(AdminPlan *plan, const char *name, const char *driver, GVariant *config);
void admin_plan_add_network(AdminPlan *plan, const char *name, GVariant *config);
/* `devices` a{sa{ss}}, consumed when floating. */
void admin_plan_add_profile(AdminPlan *plan, const char *name, GVariant *devices);

/* A whole document; ERROR_INVALID_ARGS names what is not known, or what berth has not got. What
 * LXD's dumps tell of itself alone, such as where it keeps its own files, is left out. */
int admin_plan_parse(const char *yaml, AdminPlan **ret, Error *ret_error);
/* What the service has, as such a document. */
int admin_plan_dump(Client *c, char **ret, Error *ret_error);
/* The plan as such a document. */
char *admin_plan_to_yaml(const AdminPlan *plan);

/* Has it carried out. */
int admin_plan_run(Client *c, const AdminPlan *plan, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AdminPlan, admin_plan_free)
