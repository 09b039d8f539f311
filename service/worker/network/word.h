/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Checks of the words that end in rule sets, argument lists, host files and paths below /proc/sys.
 * berthd has checked them already; a worker runs as root and believes nobody. Only words that no
 * reader of theirs could take for anything else pass: no quoting is needed afterwards, and none is
 * relied upon.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* A name that a network can have (service/model/name.h) and that is neither "all" nor "default",
 * which mean something else to /proc/sys. */
int word_check_network(const char *name, Error *ret_error);
/* A DNS domain: labels of a-z A-Z 0-9 "_" "-", 63 bytes each and 253 in all. */
bool word_is_domain(const char *name);
/* An absolute path of a-z A-Z 0-9 "_" "-" "." "/" without empty, "." and ".." components. */
bool word_is_plain_path(const char *path);
