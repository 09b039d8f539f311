/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a configuration lets a container do to its host, in four classes. Each class includes the
 * ones before it, so the strongest class of all keys and devices is the class of the whole, and one
 * question to polkit settles it.
 *
 * It is an allowlist: a key is of the class that its row in the table says, and what is in no table
 * (a record of a newer version, say) counts as PRIVILEGE_HOST.
 */

#include <glib.h>

#include "service/model/config-key.h"
#include "service/util/error.h"

typedef enum Privilege {
        PRIVILEGE_USE,            /* nothing that its owner could not do to himself */
        PRIVILEGE_OWN_FILES,      /* files of the caller's own appear in the container */
        PRIVILEGE_KERNEL_SURFACE, /* it reaches more of the kernel than others do */
        PRIVILEGE_HOST,           /* as good as root on the host */
        _PRIVILEGE_MAX,
        _PRIVILEGE_INVALID = -EINVAL,
} Privilege;

/* "use", "attach-own-files", "use-kernel-surface", "host-access": the last part of the polkit
 * action, and the word in records. */
const char *privilege_to_string(Privilege privilege);
Privilege privilege_from_string(const char *s);

/* The class of a row of the table, of one key with that value, of one device with these options
 * (a{ss}). */
Privilege config_class_privilege(ConfigClass class);
Privilege config_key_privilege(const char *key, const char *value);
Privilege device_privilege(GVariant *options);
/* The strongest of a configuration (a{ss}), of devices (a{sa{ss}}). */
Privilege config_privilege(GVariant *config);
Privilege devices_privilege(GVariant *devices);

/* A change from one expanded configuration to another: the strongest class among what is added,
 * taken away or different, and which keys and devices are above PRIVILEGE_USE. */
typedef struct PrivilegeChange {
        Privilege privilege;
        char *keys, *devices; /* names, separated by commas; NULL for none */
} PrivilegeChange;

void privilege_change_done(PrivilegeChange *change);
/* `before` may be NULL for nothing. */
void privilege_compare(GVariant *config_before, GVariant *devices_before, GVariant *config_after,
                       GVariant *devices_after, PrivilegeChange *ret);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PrivilegeChange, privilege_change_done)
