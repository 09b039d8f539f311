/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OPERATION_FREEZE and OPERATION_UNFREEZE.
 */

#include "service/worker/worker.h"

int freeze_run(Worker *worker, GVariantDict *result, Error *ret_error);
int unfreeze_run(Worker *worker, GVariantDict *result, Error *ret_error);
