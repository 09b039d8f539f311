/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells once when a process ends that need not be a child of ours.
 */

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct ProcessWatch ProcessWatch;

/* May free the watch. */
typedef void (*ProcessWatchFunc)(void *userdata);

/* The pidfd stays the caller's and open as long as the watch is there. Of a process that has ended
 * before is told as well. */
int process_watch_new(sd_event *event, int pidfd, ProcessWatchFunc func, void *userdata,
                      ProcessWatch **ret);
ProcessWatch *process_watch_free(ProcessWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ProcessWatch, process_watch_free)
