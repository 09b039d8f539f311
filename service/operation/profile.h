/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be done with profiles: all at once, on disk when it returns. */

#include "service/operation/container.h"

typedef struct ProfileChange {
        GVariant *set, *unset;   /* a{ss}, as; may be NULL */
        GVariant *devices;       /* a{sa{ss}}, NULL: as they are */
        const char *description; /* NULL: as it is */
        const uint64_t *if_revision;
} ProfileChange;

int profile_create(Manager *m, uid_t owner, const char *name, const ProfileChange *content,
                   Profile **ret, Error *ret_error);
int profile_update(Manager *m, Profile *profile, const ProfileChange *change, Error *ret_error);
int profile_rename(Manager *m, Profile *profile, const char *name, Error *ret_error);
int profile_delete(Manager *m, Profile *profile, Error *ret_error);
