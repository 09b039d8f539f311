/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Copy() and Publish() of containers and snapshots, and Container.Move(). */

#include "service/bus/call.h"

extern const Option bus_copy_options[], bus_publish_options[];

int bus_copy_prepare(BusCall *call, Error *ret_error);
int bus_copy(BusCall *call, Error *ret_error);
int bus_publish_prepare(BusCall *call, Error *ret_error);
int bus_publish(BusCall *call, Error *ret_error);
int bus_move_prepare(BusCall *call, Error *ret_error);
int bus_move(BusCall *call, Error *ret_error);
