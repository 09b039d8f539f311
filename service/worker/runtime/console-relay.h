/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Copies between a console and whoever looks at it. liblxc's monitor writes to its side of the
 * console without caring whether it blocks, and with it everything in the container that writes to
 * its console, so the console is always read; what a client is too slow for is lost to him.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct ConsoleRelay {
        int console;      /* master of the terminal that the monitor copies the console through */
        int terminal;     /* slave of the one whose master the client has; it controls us */
        int monitor_fd;   /* pidfd of the monitor */
        GBytes *history;  /* what the client gets first, or NULL */
} ConsoleRelay;

/* Until the client has closed his side, or the console has gone. */
int console_relay_run(Worker *worker, const ConsoleRelay *relay, Error *ret_error);
