/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Why a container could not be started, as one clause for an error message, from what liblxc wrote
 * to its log and what the container wrote to its console.
 */

#include <stddef.h>

#include <glib.h>

/* How much of the end of the console's log is enough. */
#define LAST_WORDS_MAX ((size_t) 4096)
/* How long it may take, once init has gone, until what it said is in that log. */
#define LAST_WORDS_USEC (5 * G_USEC_PER_SEC)

/* The first error is the cause, those after it are its consequences. NULL when there is none in
 * the log. */
char *failure_cause_from_log(const char *log);
/* The last line of what a console showed, or of nothing (NULL), without control characters. NULL
 * when there is none. */
char *failure_cause_from_console(const char *text);
