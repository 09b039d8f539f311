/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The console of a container on the client's terminal, and its logs. */

#include "client/job.h"

/* Attaches, until ctrl-a q, the end of the container or of the client. `history`: first what the
 * console has shown since the start. */
int console_attach(Client *c, const char *path, bool history, Error *ret_error);
/* In two parts, for a job that is to be begun between them. */
int console_open(Client *c, const char *path, bool history, Job **ret, Error *ret_error);
int console_run(Job *job, Error *ret_error);

/* What GetLog() or GetConsoleLog() gives, for a terminal without what would move its cursor. */
int console_print_log(Client *c, const char *path, const char *member, Error *ret_error);
