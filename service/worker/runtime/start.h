/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OPERATION_START: writes liblxc's files for one container, runs berth-start, and finds out who
 * init and the monitor are. Nothing of that is asked of liblxc's command socket: the monitor is
 * who is in the monitor's group, init is its child in the payload's group.
 */

#include "service/worker/worker.h"

int start_run(Worker *worker, GVariantDict *result, Error *ret_error);
