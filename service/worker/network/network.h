/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The operations "network.up" and "network.down": bridge, forwarding and dnsmasq of one network, as
 * service/worker/operations.h describes them.
 *
 * Up undoes what it made when it fails: a bridge of its own making goes again. What it only changed
 * on a bridge that was there stays changed; the caller's undo is to bring the network up as it was.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/worker.h"

int network_up_operation(Worker *worker, GVariantDict *result, Error *ret_error);
int network_down_operation(Worker *worker, GVariantDict *result, Error *ret_error);
