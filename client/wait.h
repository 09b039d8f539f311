/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* --wait WHAT, of verbs that start containers; `wait` is a verb of its own. */

#include "client/client.h"

#define WAIT_OPTION(_prefix) \
        { "wait", 0, "WHAT", \
          _prefix "Wait until it is running, has an ip, or is ready: all in it started", NULL }

/* Whether what was given can be waited for: before anything is started. */
int wait_check_option(Client *c, Error *ret_error);
/* Waits for that where it was given. What takes all its services to start has its time. */
int wait_as_asked(Client *c, const char *container, Error *ret_error);
