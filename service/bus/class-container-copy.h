/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Container.Copy(), Snapshot.Copy() and Container.Move(). */

#include "service/bus/call.h"

extern const Option bus_copy_options[];

int bus_copy_prepare(BusCall *call, Error *ret_error);
int bus_copy(BusCall *call, Error *ret_error);
int bus_move_prepare(BusCall *call, Error *ret_error);
int bus_move(BusCall *call, Error *ret_error);
