/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/profile.h"

#include <errno.h>

#include "service/model/config.h"
#include "service/model/record.h"

Profile *profile_new(const char *name, uid_t owner) {
        Profile *profile = g_new0(Profile, 1);

        object_init(&profile->object, OBJECT_PROFILE, name, owner);
        profile->description = g_strdup("");
        profile->config = config_empty();
        profile->devices = devices_empty();
        return profile;
}

Profile *profile_free(Profile *profile) {
        if (!profile)
                return NULL;

        object_done(&profile->object);
        g_free(profile->description);
        g_variant_unref(profile->config);
        g_variant_unref(profile->devices);
        g_free(profile);
        return NULL;
}

bool profile_is_blank(const Profile *profile) {
        return g_variant_n_children(profile->config) == 0 &&
               g_variant_n_children(profile->devices) == 0;
}

GVariant *profile_to_record(const Profile *profile) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &profile->object);
        g_variant_dict_insert(&dict, "description", "s", profile->description);
        g_variant_dict_insert_value(&dict, "config", profile->config);
        g_variant_dict_insert_value(&dict, "devices", profile->devices);
        record_put_privilege(&dict, profile->granted);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int profile_from_record(const char *name, GVariant *value, Profile **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(Profile) profile = profile_new(name, 0);

        if (record_get_object(record, &profile->object) < 0 ||
            record_get_string(record, "description", &profile->description) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &profile->config) < 0 ||
            record_get_variant(record, "devices", DEVICES_TYPE, &profile->devices) < 0 ||
            record_get_privilege(record, &profile->granted) < 0)
                return -EBADMSG;
        *ret = g_steal_pointer(&profile);
        return 0;
}
