/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Asks image servers: download.list, download.locate and download.fetch of
 * service/worker/operations.h. All that talks to the network, and all that reads what came, runs in
 * a jail (service/worker/image/jail.h) with the network and nothing else.
 */

#include "service/worker/worker.h"

int download_list(Worker *worker, GVariantDict *result, Error *ret_error);
int download_locate(Worker *worker, GVariantDict *result, Error *ret_error);
int download_fetch(Worker *worker, GVariantDict *result, Error *ret_error);
