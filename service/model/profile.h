/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A profile: configuration and devices that containers share. */

#include "service/model/object.h"
#include "service/model/privilege.h"

#define PROFILE_DEFAULT "default"

typedef struct Profile {
        Object object;
        char *description;
        GVariant *config;  /* a{ss} */
        GVariant *devices; /* a{sa{ss}} */
        Privilege granted; /* class that both were granted */
} Profile;

Profile *profile_new(const char *name, uid_t owner);
Profile *profile_free(Profile *profile);

/* Neither configuration nor devices. */
bool profile_is_blank(const Profile *profile);

GVariant *profile_to_record(const Profile *profile);
int profile_from_record(const char *name, GVariant *value, Profile **ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Profile, profile_free)
