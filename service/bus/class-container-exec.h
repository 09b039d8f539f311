/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The methods of org.berth1.Container that run a program inside: rows for class-container.c. They
 * carry fds, which makes them longer than the others. */

#include "service/bus/call.h"

extern const Option bus_exec_options[], bus_exec_pipes_options[], bus_exec_terminal_options[];

int bus_exec_prepare(BusCall *call, Error *ret_error);
int bus_exec(BusCall *call, Error *ret_error);
int bus_exec_pipes(BusCall *call, Error *ret_error);
int bus_exec_terminal(BusCall *call, Error *ret_error);
