/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images come in here: image.import and image.unpack of service/worker/operations.h.
 */

#include "service/worker/worker.h"

int image_import(Worker *worker, GVariantDict *result, Error *ret_error);
int image_unpack(Worker *worker, GVariantDict *result, Error *ret_error);
