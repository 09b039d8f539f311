/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The conversation about an imported container (service/worker/operations.h), as the fake worker
 * has it: its archive is the index itself, as GVariant writes it. */

#include "service/worker/worker.h"

/* Exporting writes "archive". */
int fake_archive_write(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_archive_send_index(Worker *worker, Error *ret_error);
/* Then worker->args are what berthd has said. */
int fake_archive_await_verdict(Worker *worker, Error *ret_error);
/* Both, and no more. */
int fake_archive_read(Worker *worker, GVariantDict *result, Error *ret_error);
