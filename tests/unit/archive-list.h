/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What others read in an archive that berth has unpacked: GNU tar and bsdtar have to list the same
 * entries, of the same kinds and sizes, as the volume has now. Where readers differ somebody may
 * have hidden something from one of them.
 */

#include <glib.h>

/* `path` is the archive's, `volume` that of its root filesystem. NULL when all agree; else a word
 * on the first difference, to be freed. */
char *archive_list_compare(const char *path, const char *volume);
