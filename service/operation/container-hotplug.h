/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices of running containers that come and go as the host's hardware does
 * (device_follows_host()). berthd hears that something has changed, by uevents and, where a device
 * has a path, by inotify; a worker looks what there is and brings the container there. It works
 * beside the jobs on the container, not as one: nobody's call is refused because a mouse has been
 * plugged in.
 */

#include "service/operation/manager.h"

/* Looks which devices there are to follow, and whether they are as on the host now; called when a
 * container has started or was found again, and when its devices have been changed. */
void container_hotplug_watch(Manager *m, Container *c);
/* Its run is over, or about to be. */
void container_hotplug_forget(Manager *m, Container *c);
/* Of the table Manager.hotplugs. */
void container_hotplug_free(void *hotplug);

/* For the watch: hardware of that subsystem has come or gone; NULL: of any. */
void container_hotplug_heard(const char *subsystem, void *manager);
