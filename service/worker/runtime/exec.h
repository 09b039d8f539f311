/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OPERATION_EXEC: checks who init is, reads what there is to know about it, sends a program in
 * (see exec-child.h), and stays with it until it ends.
 *
 * Result, beyond what the contract says: "exec-error" s, why the exit status is 126 or 127, where
 * that is not the program's own. No "started" event is sent then.
 */

#include "service/worker/worker.h"

int exec_run(Worker *worker, GVariantDict *result, Error *ret_error);
