/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Entries of directories: OPERATION_FILE_STAT, _LIST, _MAKE_DIRECTORY and _DELETE. */

#include "service/worker/worker.h"

int file_stat(Worker *worker, GVariantDict *result, Error *ret_error);
int file_list(Worker *worker, GVariantDict *result, Error *ret_error);
int file_make_directory(Worker *worker, GVariantDict *result, Error *ret_error);
int file_delete(Worker *worker, GVariantDict *result, Error *ret_error);
