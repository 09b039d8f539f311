/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The methods of org.berth1.Container about templates and what its image said of itself. */

#include "service/bus/call.h"
#include "service/bus/options.h"

extern const Option bus_write_template_options[];
extern const Option bus_update_metadata_options[];

int bus_template_prepare(BusCall *call, Error *ret_error);
int bus_list_templates(BusCall *call, Error *ret_error);
int bus_read_template(BusCall *call, Error *ret_error);
int bus_write_template(BusCall *call, Error *ret_error);
int bus_delete_template(BusCall *call, Error *ret_error);
int bus_get_metadata(BusCall *call, Error *ret_error);
int bus_update_metadata(BusCall *call, Error *ret_error);
