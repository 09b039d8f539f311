/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Text that came out of an archive, on its way to a terminal.
 */

#include <stdbool.h>
#include <stddef.h>

/* UTF-8 without control characters, the empty string included. */
bool text_is_printable(const char *text);
/* Any bytes as printable text for a message: what is not printable ASCII or whole UTF-8 is
 * escaped, and what is too long for a sentence loses its middle. */
char *text_for_message(const char *bytes);
