/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Containers, volumes and states as archives: out of their pool and in again; see
 * service/worker/operations.h. */

#include "service/worker/worker.h"

int container_export(Worker *worker, GVariantDict *result, Error *ret_error);
int container_import(Worker *worker, GVariantDict *result, Error *ret_error);
int volume_export(Worker *worker, GVariantDict *result, Error *ret_error);
int volume_import(Worker *worker, GVariantDict *result, Error *ret_error);
int state_export(Worker *worker, GVariantDict *result, Error *ret_error);
int state_import(Worker *worker, GVariantDict *result, Error *ret_error);
