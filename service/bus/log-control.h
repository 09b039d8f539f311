/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.freedesktop.LogControl1, for `systemctl service-log-level`; see systemd's manual page. */

#include <systemd/sd-bus.h>

int log_control_export(sd_bus *bus);
