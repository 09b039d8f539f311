/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the fake worker says about files and sizes. */

#include "service/worker/worker.h"

int fake_file_stat(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_file_list(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_usage(Worker *worker, GVariantDict *result, Error *ret_error);
