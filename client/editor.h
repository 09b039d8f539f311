/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * `edit` verbs: on a terminal $VISUAL or $EDITOR opens the text, elsewhere the new text comes from
 * standard input. What somebody has typed is never lost: if it cannot be applied, the editor can
 * be opened again, and the file stays when it is not.
 */

#include "client/client.h"

/* Applies a text that was edited. */
typedef int (*EditorApply)(Client *client, const char *text, void *userdata, Error *ret_error);

/* `name` becomes part of the name of the file. */
int editor_run(Client *client, const char *name, const char *text, EditorApply apply,
               void *userdata, Error *ret_error);
/* All of standard input, which may hold no zero bytes. */
int editor_read_stdin(char **ret, Error *ret_error);
