/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Help texts and shell completion, both made from the command tables.
 */

#include "client/client.h"

void help_print(const Command *command, const char *path);
/* One line: "Usage: berth config get <container> <key>". */
char *help_usage(const Command *command, const char *path);
/* The name nearest to `word` among the commands of a table, or NULL if none is near. */
const char *help_nearest(const Command *commands, const char *word);
bool command_is_named(const Command *command, const char *word);
const Command *command_find(const Command *commands, const char *word);
