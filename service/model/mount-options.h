/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * "raw.mount.options" of a disk: words of mount(8), separated by commas. Only such as take
 * something away; what a filesystem would do for itself was decided when the host mounted it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

/* MOUNT_ATTR_* to set and to clear, as mount_setattr() takes them. */
int mount_options_parse(const char *text, uint64_t *ret_set, uint64_t *ret_clear,
                        Error *ret_error);
/* For the table of devices. */
int mount_options_check(const char *value, Error *ret_error);

/* "propagation" of a disk. What the host mounts below the source later comes in with "slave" and
 * "shared"; inside, everything is shared among the container's own namespaces, and nothing of it
 * ever gets out. */
bool mount_propagation_follows(const char *word);
int mount_propagation_check(const char *word, Error *ret_error);
