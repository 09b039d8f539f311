/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A worker's claim to be the only one that unpacks an image into a pool. Which image it is turns
 * out only when its archive has been read, so berthd cannot keep two imports of the same archive
 * apart, and two workers would get into each other's unfinished volume.
 *
 * It is a locked file beside the volume with the name of something unfinished, so that what a
 * killed worker leaves is swept like everything else.
 */

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct Claim Claim;

/* For the pool that the worker's arguments name. ERROR_BUSY while another has it. */
int claim_take(Worker *worker, const char *image, Claim **ret, Error *ret_error);
Claim *claim_free(Claim *claim);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Claim, claim_free)
