/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when a file of some name may have appeared or gone, whether or not its directory is there.
 * What is there is for the caller to look at. Not noticed is that a directory further up is moved
 * away with all that is in it.
 */

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct PathWatch PathWatch;

typedef void (*PathWatchFunc)(void *userdata);

/* `path` is absolute. */
int path_watch_new(sd_event *event, const char *path, PathWatchFunc func, void *userdata,
                   PathWatch **ret);
PathWatch *path_watch_free(PathWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PathWatch, path_watch_free)
