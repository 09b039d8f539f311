/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Copying containers and volumes with their snapshots; see service/worker/operations.h. */

#include "service/worker/storage/storage.h"

int volume_copy(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                Error *ret_error);
