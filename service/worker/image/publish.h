/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Making an image of a container or snapshot; see service/worker/operations.h. */

#include "service/worker/worker.h"

int image_publish(Worker *worker, GVariantDict *result, Error *ret_error);
