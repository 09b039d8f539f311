/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OPERATION_DUMP: saves the processes of a container with CRIU, in the form that liblxc restores.
 * CRIU is run directly and not by liblxc: liblxc 5.0 asks the container's monitor over its command
 * socket where its groups are, and a monitor that came from a restore has no answer.
 */

#include "service/worker/worker.h"

int dump_run(Worker *worker, GVariantDict *result, Error *ret_error);
