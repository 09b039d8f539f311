/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files that are made from an image's templates: OPERATION_FILE_TEMPLATES. */

#include "service/worker/worker.h"

int file_templates(Worker *worker, GVariantDict *result, Error *ret_error);
