/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The child's side of the jail (jail.h): gives up what it has, in the order in which that still
 * works, and runs the function.
 */

#include <stdnoreturn.h>

#include "service/worker/image/jail.h"

/* Messages of the child, one a packet: ("progress", {"fraction": d}), ("ask", {...}),
 * ("result", {...}), ("error", {"name": s, "message": s}). Before them it waits for one byte, which
 * says that its ids have been mapped; and for one after each "ask", with which an fd may come. */
#define JAIL_MESSAGE_TYPE ((const GVariantType *) "(sa{sv})")

/* The fds that it is given, next to standard input, output and error, which are /dev/null. They
 * are open files of the host, so the filter keeps owners, modes and attributes of them from being
 * changed. */
enum {
        JAIL_FD_INPUT = 3,
        JAIL_FD_CHANNEL = 4,
        JAIL_FD_FIRST_FREE = 5,
};

/* `tree_fd` is the detached mount that becomes the root. */
noreturn void jail_inside(const JailSpec *spec, int channel_fd, int tree_fd);

/* Loads the system call filter into the calling process, for what the spec has it do: read an
 * archive, write one, ask the parent, use the network. Returns 0 or -errno. */
int jail_filter_load(const JailSpec *spec);
