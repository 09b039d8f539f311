/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be done with profiles: on disk when it returns, unless it says that there is a job. */

#include "service/operation/container.h"

typedef struct ProfileChange {
        GVariant *set, *unset;   /* a{ss}, as; may be NULL */
        GVariant *devices;       /* a{sa{ss}}, NULL: as they are */
        const char *description; /* NULL: as it is */
        const uint64_t *if_revision;
} ProfileChange;

int profile_create(Manager *m, Caller caller, const char *name, const ProfileChange *content,
                   Profile **ret, Error *ret_error);
/* Where limits of running containers change, *ret is a job that does it, else NULL. Without `ret`
 * it is done at once, and those that run follow in the background. */
int profile_update(Manager *m, Caller caller, Profile *profile, const ProfileChange *change,
                   Job **ret, Error *ret_error);
/* What the caller must be granted: for the profile's own keys and devices, and for what becomes of
 * the containers that use it. `profile` NULL: for one to be created. */
int profile_change_privilege(Manager *m, Profile *profile, const ProfileChange *change,
                             PrivilegeChange *ret, Error *ret_error);
int profile_rename(Manager *m, Profile *profile, const char *name, Error *ret_error);
int profile_delete(Manager *m, Profile *profile, Error *ret_error);
