/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Why liblxc could not start a container, as one clause for an error message, from what it wrote
 * to its log.
 */

/* The first error is the cause, those after it are its consequences. NULL when there is none in
 * the log. */
char *failure_cause_from_log(const char *log);
/* The last line that a console showed, without control characters, or NULL. */
char *failure_cause_from_console(const char *text);
