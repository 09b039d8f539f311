/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * D-Bus messages as GVariants, and back. The rest of the service knows only GVariants: arguments of
 * a call are one tuple, which can be compared, kept and read by type. File descriptors stay in the
 * message; a handle is the fd's number in it.
 */

#include <systemd/sd-bus.h>

#include "service/util/error.h"

/* The whole body as a tuple. Strings are UTF-8, nesting is bounded: what D-Bus guarantees. fds of
 * "h" are appended to `fds` (GArray of int, borrowed from the message), the handle being their
 * index. */
int message_read_body(sd_bus_message *message, GArray *fds, GVariant **ret);
/* Appends each child of `tuple`, or one value. Handles index `fds`. */
int message_append_body(sd_bus_message *message, GVariant *tuple, const int *fds);
int message_append_value(sd_bus_message *message, GVariant *value, const int *fds);
