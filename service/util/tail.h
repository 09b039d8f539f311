/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The ends of log files. */

#include <stddef.h>

#include <glib.h>

/* The last `max` bytes of a log: of PATH, preceded by the end of PATH.1, what it was before it was
 * rotated, where there is such a one. Empty where there is neither. */
int tail_read(const char *path, size_t max, GBytes **ret);
