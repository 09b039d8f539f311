/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/bus/call.h"

/* GetDiskUsage() of containers and volumes. */
int bus_get_disk_usage(BusCall *call, Error *ret_error);
