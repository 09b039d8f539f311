/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Copying containers with their snapshots; see service/worker/operations.h. */

#include "service/worker/worker.h"

int container_copy(Worker *worker, GVariantDict *result, Error *ret_error);
