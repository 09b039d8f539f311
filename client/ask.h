/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Questions of the dialogues of `berth admin`, answered on standard input. Its end is
 * ERROR_CANCELLED.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* The answer, or the preset for an empty one; NULL: there is none. */
int ask(const char *question, const char *preset, char **ret, Error *ret_error);
int ask_boolean(const char *question, bool preset, bool *ret, Error *ret_error);
/* Why an answer will not do, or NULL. */
typedef const char *(*CheckFunc)(const char *answer, const void *data);
/* Asks until it will do. */
int ask_checked(const char *question, const char *preset, CheckFunc check, const void *data,
                char **ret, Error *ret_error);
