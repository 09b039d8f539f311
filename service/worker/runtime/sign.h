/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OPERATION_SIGN: a saved state on its way from one host to another. */

#include "service/worker/worker.h"

int sign_run(Worker *worker, GVariantDict *result, Error *ret_error);
