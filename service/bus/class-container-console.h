/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The methods of org.berth1.Container for its console and its logs: rows for class-container.c. */

#include "service/bus/call.h"

extern const Option bus_get_console_options[];

int bus_get_console(BusCall *call, Error *ret_error);
int bus_get_console_log(BusCall *call, Error *ret_error);
int bus_get_log(BusCall *call, Error *ret_error);
