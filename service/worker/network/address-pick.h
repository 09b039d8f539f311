/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Finds what an address of "auto" stands for: networks that no route and no address of the host
 * touches, so that a new bridge hides nothing that could be reached before.
 */

#include "service/model/subnet.h"
#include "service/util/error.h"
#include "service/worker/worker.h"

/* A random 10.x.y.1/24; where the host has a route over all of 10.0.0.0/8 (many a VPN does), one of
 * 172.16.0.0/12 or 192.168.0.0/16. */
int address_pick_ipv4(Subnet *ret, Error *ret_error);
/* A random fd42:x:y:z::1/64. */
int address_pick_ipv6(Subnet *ret, Error *ret_error);

/* The operation "network.pick-address". */
int address_pick_operation(Worker *worker, GVariantDict *result, Error *ret_error);
