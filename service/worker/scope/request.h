/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What berth-scope can be asked for. Each prints what was wrong and returns -errno. */

#include <systemd/sd-bus.h>

/* UNIT DESCRIPTION PID: a transient scope below berth.slice, with the process in it. */
int request_unit(sd_bus *bus, char **arguments);
/* NAME ROOT PID INTERFACE...: a machine of systemd-machined's. */
int request_machine(sd_bus *bus, char **arguments);
