/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the archives of containers and of volumes are laid out, which is as LXD's backups are: the
 * index first, then each snapshot in a directory of its own, then the thing itself. A container's
 * directories hold metadata.yaml, templates/ and rootfs/; those of a volume are its files as they
 * are. The state of a container's processes is like a volume without snapshots, and nobody else's
 * form.
 */

#include <stdbool.h>

#include "service/worker/storage/storage.h"

typedef struct ArchiveLayout {
        const VolumeFamily *family;
        const char *noun;                    /* "container" */
        const char *type;                    /* of the index */
        const char *directory, *snapshots;   /* in the archive */
        const char *key, *other_key;         /* of the thing below "config"; LXD's later word */
        const char *snapshots_key;
        bool plain;                          /* files as they are */
} ArchiveLayout;

extern const ArchiveLayout archive_of_container, archive_of_volume, archive_of_state;
