/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Limiting what volumes may hold; see service/worker/operations.h. */

#include "service/worker/worker.h"

int volume_resize(Worker *worker, GVariantDict *result, Error *ret_error);
