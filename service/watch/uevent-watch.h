/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells when hardware that has a device node appears on the host or goes: uevents of the kernel.
 * What is there is for /sys to say, and that is true by the time an event is heard: the kernel
 * speaks after it has made an entry, and before it forgets one only when others see it no more.
 */

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct UeventWatch UeventWatch;

/* `subsystem` such as "usb" or "drm"; NULL: events were lost, it may be any. */
typedef void (*UeventWatchFunc)(const char *subsystem, void *userdata);

int uevent_watch_new(sd_event *event, UeventWatchFunc func, void *userdata, UeventWatch **ret);
UeventWatch *uevent_watch_free(UeventWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UeventWatch, uevent_watch_free)
