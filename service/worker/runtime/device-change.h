/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Devices of containers that run; see OPERATION_DEVICES and OPERATION_FOLLOW. */

#include "service/worker/worker.h"

int device_change_run(Worker *worker, GVariantDict *result, Error *ret_error);
int device_follow_run(Worker *worker, GVariantDict *result, Error *ret_error);
