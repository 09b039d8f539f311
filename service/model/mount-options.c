/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/mount-options.h"

#include <linux/mount.h>

#include <glib.h>

#include "service/util/cleanup.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

typedef struct MountOption {
        const char *word;
        uint64_t set, clear;
} MountOption;

/* The times of access are one field of three values, which has to be cleared to be set. */
static const MountOption table[] = {
        { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "nodev", MOUNT_ATTR_NODEV, 0 },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
        { "noexec", MOUNT_ATTR_NOEXEC, 0 },
        { "nosuid", MOUNT_ATTR_NOSUID, 0 },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
        { "ro", MOUNT_ATTR_RDONLY, 0 },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
};

static const MountOption *find(const char *word) {
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (g_str_equal(table[i].word, word))
                        return &table[i];
        return NULL;
}

int mount_options_parse(const char *text, uint64_t *ret_set, uint64_t *ret_clear,
                        Error *ret_error) {
        g_auto(GStrv) words = g_strsplit(text, ",", -1);
        uint64_t set = 0, clear = 0;

        if (!words[0])
                return error_set(ret_error, ERROR_INVALID_DEVICE, "it holds no mount option");
        for (char **word = words; *word; word++) {
                const MountOption *option = find(*word);

                if (!option)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.64s\" is no mount option that a disk can have (ro, "
                                         "noexec, nosuid, nodev, nosymfollow, noatime, nodiratime, "
                                         "relatime, strictatime)", *word);
                if (clear & option->clear)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.64s\" contradicts an option before it", *word);
                set |= option->set;
                clear |= option->clear;
        }
        *ret_set = set;
        *ret_clear = clear;
        return 0;
}

int mount_options_check(const char *value, Error *ret_error) {
        uint64_t set, clear;

        return mount_options_parse(value, &set, &clear, ret_error);
}

bool mount_propagation_follows(const char *word) {
        static const char *const words[] = { "slave", "rslave", "shared", "rshared", NULL };

        return g_strv_contains(words, word);
}

int mount_propagation_check(const char *word, Error *ret_error) {
        if (mount_propagation_follows(word) || g_str_equal(word, "private") ||
            g_str_equal(word, "rprivate"))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "\"%.64s\" is none of private, slave, shared", word);
}
