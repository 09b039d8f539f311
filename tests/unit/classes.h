/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What each key and each option of a device asks for, as tests/unit/classes has it: written by
 * hand, so that a class of the service's tables does not change without somebody saying so twice.
 */

#include <glib.h>

/* The words of a line behind "key NAME" or "device TYPE.OPTION", NULL where there is no such line:
 * a class, and of a key perhaps the value that is harmless. Lives as long as the program. */
const char *const *classes_find(const char *kind, const char *name);
/* How many lines of that kind there are. */
unsigned classes_count(const char *kind);
