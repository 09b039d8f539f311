/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whole trees, as one tar stream: OPERATION_TREE_PULL and OPERATION_TREE_PUSH. The archive is made
 * and read by libarchive in the child that is inside (service/worker/files/inside.h).
 */

#include "service/worker/worker.h"

int tree_pull(Worker *worker, GVariantDict *result, Error *ret_error);
int tree_push(Worker *worker, GVariantDict *result, Error *ret_error);
