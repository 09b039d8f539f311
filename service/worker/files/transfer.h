/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Single files: OPERATION_FILE_PULL and OPERATION_FILE_PUSH. */

#include "service/worker/worker.h"

int file_pull(Worker *worker, GVariantDict *result, Error *ret_error);
int file_push(Worker *worker, GVariantDict *result, Error *ret_error);
