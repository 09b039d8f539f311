/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the operations on files have in common in their requests. */

#include "service/worker/files/new-file.h"

/* "path" s: absolute, or taken so. */
int files_get_path(Worker *worker, const char **ret, Error *ret_error);
/* "uid" u, "gid" u, "mode" u: each may be absent. */
NewFileOwner files_get_owner(Worker *worker);
/* A flag that is false where it is absent. */
bool files_get_flag(Worker *worker, const char *key);
