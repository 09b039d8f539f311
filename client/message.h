/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bodies of D-Bus messages as GVariants. Both speak the same type strings; the one difference is
 * file descriptors: here a handle ('h') holds the number of an fd of this process instead of an
 * index. Appending duplicates the fd, the caller keeps his. What is read is a duplicate that the
 * reader owns (CLOEXEC) and has to close.
 */

#include <glib.h>
#include <systemd/sd-bus.h>

/* Appends every child of the tuple `body`; NULL appends nothing. */
int message_append_body(sd_bus_message *m, GVariant *body);
/* Reads everything from the current position to the end of the message into a tuple. */
int message_read_body(sd_bus_message *m, GVariant **ret);
/* Reads the a{sv} that comes next, without the properties that are not in `wanted`; NULL: all. */
int message_read_properties(sd_bus_message *m, const char *const *wanted, GVariant **ret);
