/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Words of the user's own for command lines. They are in "aliases" of config.yml in $BERTH_CONF, or
 * berth/ of the user's configuration directory, as LXD has them: a name is one or more words, what
 * it stands for is words with or without quotes, in which @ARGS@ is where the rest of the line goes
 * (else at the end). What begins with "/" is a program of its own. An alias goes before a command
 * of its name and is not looked for in what it stands for.
 */

#include <glib.h>

#include "service/util/error.h"

/* The command line that is meant; 0 where it is as it was typed, 1 with a new one. Does not return
 * when it is another program. */
int alias_expand(const char *const *argv, GStrv *ret, Error *ret_error);
