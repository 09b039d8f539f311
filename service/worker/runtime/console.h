/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Attaching to the console of a container that runs: OPERATION_CONSOLE. */

#include "service/worker/worker.h"

int console_run(Worker *worker, GVariantDict *result, Error *ret_error);
