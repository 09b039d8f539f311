/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images go out here: image.export of service/worker/operations.h.
 */

#include "service/worker/worker.h"

int image_export(Worker *worker, GVariantDict *result, Error *ret_error);
