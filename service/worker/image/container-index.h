/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The index of a container's archive, backup/index.yaml, which is the first entry in it: what the
 * container and its snapshots are configured to be. The layout is that of LXD's backups:
 *
 *   backup/index.yaml
 *   backup/snapshots/NAME/{metadata.yaml,rootfs/,templates/}
 *   backup/container/{metadata.yaml,rootfs/,templates/}
 *
 *
 * of a volume:
 *
 *   backup/index.yaml
 *   backup/volume-snapshots/NAME/...
 *   backup/volume/...
 *
 * As values the container and each snapshot are an a{sv}: "name" s, "architecture" s, "config"
 * a{ss}, "devices" a{sa{ss}}, "profiles" as, "description" s, "ephemeral" b, "created" t and
 * "expires" t (µs since 1970, 0: never). Of a volume there are name, config, description, created
 * and expires.
 */

#include <stddef.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/archive-layout.h"

#define CONTAINER_INDEX_NAME "backup/index.yaml"

/* `container` a{sv}, `snapshots` aa{sv}, oldest first. */
int container_index_write(const ArchiveLayout *layout, GVariant *container, GVariant *snapshots,
                          GBytes **ret, Error *ret_error);
/* Reads what berth or LXD has written. Full references; what is in them is not judged, but for its
 * form. Used inside the jail. */
int container_index_parse(const ArchiveLayout *layout, const char *data, size_t size,
                          GVariant **ret_container, GPtrArray **ret_snapshots, Error *ret_error);
