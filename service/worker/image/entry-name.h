/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The name of an archive's entry, brought to the one form that the rest works with: relative,
 * components joined by single slashes, no "." and no "..", "" for the top itself.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* `raw` as the archive has it: one "./" in front and, for directories, slashes at the end are
 * dropped; anything else that is not in form is an error. */
int entry_name_parse(const char *raw, bool is_directory, char **ret, Error *ret_error);
/* ERROR_INVALID_IMAGE: "Entry "NAME" of the archive is not acceptable: WHY". */
int entry_name_error(const char *raw, const char *why, Error *ret_error);
/* What is below `directory`: "" for itself, NULL where `name` is elsewhere. */
const char *entry_name_below(const char *name, const char *directory);
